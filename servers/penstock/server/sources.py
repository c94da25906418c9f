"""Where configuration comes from: a file, the environment, flags."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from penstock.server.option import Given, Mistake

PREFIX: Final = "PENSTOCK_"
DEFAULT_FILE: Final = "penstock.toml"

# Read by other programs of ours, or before the configuration is.
NOT_CONFIGURATION: Final = frozenset(
    {"PENSTOCK_CONFIG", "PENSTOCK_ADDRESS", "PENSTOCK_ADMIN_ADDRESS", "PENSTOCK_READY_FILE"}
)

_BETWEEN_ENTRIES: Final = re.compile(r",\s*(?=[A-Za-z0-9._:-]+=)")


def from_file(file: str | None, directory: Path) -> tuple[list[Given], list[Mistake]]:
    """Reads a TOML file; without a name, `penstock.toml` of the directory where there is one."""
    path = directory / (file or DEFAULT_FILE)
    if file is None and not path.exists():
        return [], []
    origin = str(path if file is None else file)
    try:
        with path.open("rb") as opened:
            table = tomllib.load(opened)
    except OSError as error:
        return [], [Mistake("--config", origin, f"{error.strerror}; name a TOML file that can be read")]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [], [Mistake("--config", origin, f"is no valid TOML: {error}")]
    return [Given(path, value, origin, textual=False) for path, value in _leaves(table, ())], []


def from_environment(environment: Mapping[str, str]) -> list[Given]:
    """Reads variables such as PENSTOCK_LISTEN and PENSTOCK_LAYERS__EXECUTOR__CONCURRENCY."""
    return [
        Given(_shorthand(tuple(name.removeprefix(PREFIX).lower().split("__"))), value, name, textual=True)
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and name not in NOT_CONFIGURATION
    ]


def from_flags(flags: Iterable[tuple[str, str, Any]]) -> list[Given]:
    """Reads (flag, key, value) triples; None and empty lists are flags that were not given."""
    return [
        Given(_shorthand(tuple(key.split("."))), value, flag, textual=True)
        for flag, key, value in flags
        if value is not None and value != []
    ]


def entries_of(given: Given) -> Iterator[Given]:
    """Splits text such as `a=x,b=y`, or a list of such, into the entries of a table; ValueError where it is none."""
    if not given.textual:
        raise ValueError("is no table; write NAME = VALUE lines under it")
    parts = _BETWEEN_ENTRIES.split(given.value) if isinstance(given.value, str) else given.value
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} has no '='; write NAME=VALUE")
        yield Given((*given.path, name.strip()), value.strip(), given.origin, textual=True)


def _leaves(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield _shorthand((*path, key)), value


def _shorthand(path: tuple[str, ...]) -> tuple[str, ...]:
    # `layers = ["executor"]` says which layers; as a table it also holds their settings.
    return ("layers", "hosted") if path == ("layers",) else path
