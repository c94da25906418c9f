"""The configuration of one process, as data; made from a file, the environment and flags, in rising order."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from penstock.executor.settings import ExecutorSettings
from penstock.gateway.settings import GatewaySettings
from penstock.interceptors.rules import LayerRules
from penstock.orchestrator.settings import OrchestratorSettings
from penstock.server.address import Address
from penstock.server.model_options import model_mistakes, model_settings
from penstock.server.option import ConfigError, Given, Mistake, Option
from penstock.server.option import Path as Key
from penstock.server.options import LAYER_NAMES, SETTINGS, TOP_KEYS, all_options
from penstock.server.secrecy import hidden_in
from penstock.server.sources import entries_of
from penstock.state.settings import StateSettings
from penstock.tools.settings import ToolsSettings


@dataclass(frozen=True, slots=True)
class LayerSettings:
    """Represents the layers' own settings."""

    gateway: GatewaySettings
    orchestrator: OrchestratorSettings
    executor: ExecutorSettings
    tools: ToolsSettings
    state: StateSettings


@dataclass(frozen=True, slots=True)
class Config:
    """Represents the configuration of one process."""

    service_name: str
    """What this mesh is called, as GetStatus tells; default `penstock`."""

    environment: str
    """What it is for, such as `production`; default `development`."""

    hosted: tuple[str, ...]
    """The layers of this process, in the order a call passes them; default all five."""

    listen: Address
    """Where the public door is, or, without a gateway here, the layers; default 127.0.0.1:50051."""

    inner_listen: Address | None
    """Where the other layers of a process with a gateway can be reached from outside; default nowhere."""

    admin_listen: Address | str
    """Where the store is administered: an address on this machine, `auto` (default: for a SQLite file the socket
    FILE.admin beside it, else nowhere) or `none`."""

    metrics_listen: Address | None
    """Where Prometheus can fetch metrics, at /metrics; default nowhere."""

    connect: Mapping[str, str]
    """Where the layers are that this process calls and does not host; default none."""

    tenant: str
    """Whose work it is that comes in at the door; default `default`."""

    app_dir: Path
    """Directory from which agents and tools are imported; default the current one."""

    loop: str
    """The event loop: `uvloop` (default; where it is installed) or `asyncio`."""

    drain_seconds: float
    """Most seconds to wait for work in progress before stopping; default 20."""

    log_format: str
    """`text` (default) or `json`."""

    log_level: str
    """`debug`, `info` (default), `warning` or `error`."""

    features: Mapping[str, bool]
    """Feature flags: `reflection` (default on)."""

    rules: Mapping[str, LayerRules]
    """The bounds of each layer."""

    settings: LayerSettings
    """The layers' own settings."""

    values: Mapping[Key, Any]
    """Every value by its key, to be shown."""

    origins: Mapping[Key, str]
    """Where each value that is no default comes from."""


def make_config(given: Sequence[Given], mistakes: Sequence[Mistake], calls: Mapping[str, Sequence[str]]) -> Config:
    """Makes the configuration from what was given, later values over earlier ones; tables merge, lists replace.

    `mistakes` are those made so far; `calls` says which layers each layer calls. Raises ConfigError with all mistakes.
    """
    reading = _Reading(all_options(), list(mistakes))
    for each in given:
        reading.take(each)
    values = reading.values()
    reading.mistakes.extend(_unreachable(values, calls))
    reading.mistakes.extend(model_mistakes(values, reading.origins))
    config = _config(values, reading)
    if config is None or reading.mistakes:
        raise ConfigError(reading.mistakes)
    return config


class _Reading:
    """Gathers values, and what is wrong with them, until all has been seen."""

    def __init__(self, options: Mapping[Key, Option], mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        self.origins: dict[Key, str] = {}
        self._options = options
        self._read: dict[Key, Any] = {}

    def take(self, given: Given) -> None:
        """Reads one value."""
        option = self._options.get(given.path)
        table = self._options.get(given.path[:1]) if len(given.path) > 1 else None
        if option is not None and option.entries:
            try:
                entries = list(entries_of(given))
            except ValueError as error:
                self._refuse(given, str(error))
                return
            for entry in entries:
                self._take_one(option, entry)
        elif option is not None:
            self._take_one(option, given)
        elif table is not None and table.entries:
            # Names in a table may hold dots of their own.
            self._take_one(table, dataclasses.replace(given, path=(given.path[0], ".".join(given.path[1:]))))
        else:
            self._refuse(given, self._unknown(given.key))

    def values(self) -> dict[Key, Any]:
        """Returns every option's value, its default where none was given; tables with all their entries."""
        values: dict[Key, Any] = {}
        for path, option in self._options.items():
            if option.entries:
                values[path] = {key[-1]: value for key, value in self._read.items() if key[:-1] == path}
            else:
                values[path] = self._read.get(path, option.default)
        return values

    def _take_one(self, option: Option, given: Given) -> None:
        try:
            self._read[given.path] = (option.read_text if given.textual else option.read)(given.value)
        except ValueError as error:
            self._refuse(given, hidden_in(str(error), given.path[-1], given.value))
        else:
            self.origins[given.path] = given.origin

    def _refuse(self, given: Given, text: str) -> None:
        self.mistakes.append(Mistake(given.key, given.origin, text))

    def _unknown(self, key: str) -> str:
        known = [".".join(path[:depth]) for path in self._options for depth in range(1, len(path) + 1)]
        near = get_close_matches(key, known, n=1, cutoff=0.6)
        if not near:
            # A right name in the wrong table is no close match as a whole.
            near = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]][:1]
        hint = f"did you mean {near[0]}?" if near else "`penstockd --print-config` shows all keys"
        return f"is no key of the configuration; {hint}"


def _config(values: Mapping[Key, Any], reading: _Reading) -> Config | None:
    mistakes = reading.mistakes
    hosted = values["layers", "hosted"]
    if not hosted:
        mistakes.append(Mistake("layers.hosted", "", f"names no layer; choose from {', '.join(LAYER_NAMES)}"))
    app_dir = Path(values["app_dir",])
    if not app_dir.is_dir():
        mistakes.append(Mistake("app_dir", reading.origins.get(("app_dir",), ""), f"{app_dir} is no directory"))
    for layer in values["connect",]:
        if layer not in LAYER_NAMES:
            origin = reading.origins.get(("connect", layer), "")
            near = get_close_matches(layer, LAYER_NAMES, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(LAYER_NAMES)}"
            mistakes.append(Mistake(f"connect.{layer}", origin, f"is no layer; {hint}"))
    settings = {layer: _settings(layer, values, mistakes) for layer in LAYER_NAMES}
    if mistakes:
        return None
    return Config(
        service_name=values["service_name",],
        environment=values["environment",],
        hosted=tuple(layer for layer in LAYER_NAMES if layer in hosted),
        listen=values["listen",],
        inner_listen=values["inner_listen",],
        admin_listen=values["admin_listen",],
        metrics_listen=values["metrics_listen",],
        connect=values["connect",],
        tenant=values["tenant",],
        app_dir=app_dir,
        loop=values["loop",],
        drain_seconds=values["drain_seconds",],
        log_format=values["log", "format"],
        log_level=values["log", "level"],
        features={path[1]: value for path, value in values.items() if path[0] == "features"},
        rules={
            layer: LayerRules(
                layer,
                values["layers", layer, "concurrency"],
                values["layers", layer, "streams"],
                values["layers", layer, "timeout_seconds"],
            )
            for layer in LAYER_NAMES
        },
        settings=LayerSettings(**settings),
        values=values,
        origins=reading.origins,
    )


def _settings(layer: str, values: Mapping[Key, Any], mistakes: list[Mistake]) -> Any:
    chosen = {}
    for field in dataclasses.fields(SETTINGS[layer]):
        path = TOP_KEYS.get((layer, field.name), ("layers", layer, field.name))
        if path in values:
            chosen[field.name] = values[path]
    if layer == "executor":
        chosen["model"] = model_settings(values)
    try:
        return SETTINGS[layer](**chosen)
    except ValueError as error:
        mistakes.append(Mistake(f"layers.{layer}", "", str(error)))
        return None


def _unreachable(values: Mapping[Key, Any], calls: Mapping[str, Sequence[str]]) -> list[Mistake]:
    """Names the layers that a hosted layer calls and that are neither here nor connected, all in one go."""
    missing: dict[str, list[str]] = {}
    hosted = values["layers", "hosted"]
    for layer in hosted:
        for callee in calls[layer]:
            if callee not in hosted and callee not in values["connect",]:
                missing.setdefault(callee, []).append(layer)
    return [
        Mistake(
            f"connect.{callee}",
            "",
            f"is missing: {' and '.join(callers)} here call{'s' if len(callers) == 1 else ''} {callee}, which is "
            f"neither hosted nor connected; add --connect {callee}=HOST:PORT, or {callee} to --layers",
        )
        for callee, callers in missing.items()
    ]
