"""The list of all that can be configured."""

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from penstock.executor.settings import ExecutorSettings
from penstock.gateway.settings import GatewaySettings
from penstock.interceptors.rules import LayerRules
from penstock.orchestrator.settings import OrchestratorSettings
from penstock.server import value_types as kinds
from penstock.server.address import Address
from penstock.server.model_options import MODEL_OPTIONS
from penstock.server.option import Option, Path, Reader
from penstock.state.settings import StateSettings
from penstock.tools.settings import ToolsSettings

# In the order in which a call passes them.
LAYER_NAMES: Final = ("gateway", "orchestrator", "executor", "tools", "state")

SETTINGS: Final[Mapping[str, type[Any]]] = {
    "gateway": GatewaySettings,
    "orchestrator": OrchestratorSettings,
    "executor": ExecutorSettings,
    "tools": ToolsSettings,
    "state": StateSettings,
}

# Fields of layers' settings which people set by a key at the top.
TOP_KEYS: Final[Mapping[tuple[str, str], Path]] = {
    ("state", "url"): ("state",),
    ("tools", "tools"): ("tools",),
    ("executor", "agents"): ("agents",),
    ("orchestrator", "workflows"): ("workflows",),
}


def _listed(item: Reader) -> tuple[Reader, Reader]:
    read = kinds.listed(item)
    return read, lambda value: read(kinds.split_text(value))


def _number(low: float, high: float = float("inf")) -> tuple[Reader, Reader]:
    read = kinds.number(low, high)
    return read, kinds.from_text(float, "a number", read)


def _whole(low: int, high: float = float("inf")) -> tuple[Reader, Reader]:
    read = kinds.number(low, high, whole=True)
    return read, kinds.from_text(int, "a whole number", read)


def _same(read: Reader) -> tuple[Reader, Reader]:
    return read, read


_DAY: Final = 24 * 3600.0

_TOP: Final = (
    Option(("service_name",), "penstock", *_same(kinds.name)),
    Option(("environment",), "development", *_same(kinds.name)),
    Option(("layers", "hosted"), LAYER_NAMES, *_listed(kinds.one_of(*LAYER_NAMES))),
    Option(("listen",), Address("127.0.0.1", 50051), *_same(kinds.address)),
    Option(("inner_listen",), None, *_same(kinds.optional_address)),
    Option(("admin_listen",), "auto", *_same(kinds.admin_address)),
    Option(("metrics_listen",), None, *_same(kinds.optional_tcp_address)),
    Option(("connect",), {}, *_same(kinds.target), entries=True),
    Option(("state",), StateSettings().url, *_same(kinds.url)),
    Option(("agents",), {}, *_same(kinds.python_object), entries=True),
    *MODEL_OPTIONS,
    Option(("tools",), (), *_listed(kinds.python_object)),
    Option(("workflows",), (), *_listed(kinds.text)),
    Option(("tenant",), "default", *_same(kinds.name)),
    Option(("app_dir",), ".", *_same(kinds.text)),
    Option(("loop",), "uvloop", *_same(kinds.one_of("uvloop", "asyncio"))),
    Option(("drain_seconds",), 20.0, *_number(0, _DAY)),
    Option(("log", "format"), "text", *_same(kinds.one_of("text", "json"))),
    Option(("log", "level"), "info", *_same(kinds.one_of("debug", "info", "warning", "error"))),
    Option(("features", "reflection"), True, kinds.truth, kinds.truth_text),
)


def all_options() -> dict[Path, Option]:
    """Returns every option by its path: those at the top, then those of each layer."""
    options = {option.path: option for option in _TOP}
    for layer in LAYER_NAMES:
        rules = LayerRules(layer)
        for option in (
            Option(("layers", layer, "concurrency"), rules.concurrency, *_whole(1)),
            Option(("layers", layer, "streams"), rules.streams, *_whole(1)),
            Option(("layers", layer, "timeout_seconds"), rules.timeout, *_number(0.001, _DAY)),
            *_of_settings(layer),
        ):
            options[option.path] = option
    return options


def _of_settings(layer: str) -> Iterator[Option]:
    settings = SETTINGS[layer]
    hints = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        if (layer, field.name) in TOP_KEYS:
            continue
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        readers = _readers(hints[field.name], default)
        if readers is not None:
            yield Option(("layers", layer, field.name), default, *readers)


def _readers(hint: Any, default: Any) -> tuple[Reader, Reader] | None:
    """Chooses how a field is read from its type; None for a type that can't be configured."""
    if get_origin(hint) in (Union, types.UnionType):
        (hint,) = (part for part in get_args(hint) if part is not type(None))
    # What may be zero says so by its default.
    low = 0 if default in (None, 0) else 0.001
    if hint is bool:
        return kinds.truth, kinds.truth_text
    if hint is int:
        return _whole(0 if low == 0 else 1)
    if hint is float:
        return _number(low)
    if hint is str:
        return _same(kinds.any_text)
    if get_origin(hint) is tuple and get_args(hint)[0] is str:
        return _listed(kinds.text)
    return None
