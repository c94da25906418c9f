"""The configuration as TOML, with what must stay secret hidden."""

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.server.address import Address
from penstock.server.config import Config
from penstock.server.secrecy import without_secrets

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def shown(config: Config) -> str:
    """Returns the configuration as TOML that could be used again; what is no default says where it comes from."""
    tables: dict[tuple[str, ...], list[str]] = {(): []}
    for path, value in config.values.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            tables.setdefault(path, []).extend(
                _line((*path, name), entry, config.origins) for name, entry in sorted(value.items())
            )
        else:
            tables.setdefault(path[:-1], []).append(_line(path, value, config.origins))
    written = []
    for table, lines in tables.items():
        if lines:
            head = [f"[{'.'.join(_bare(part) for part in table)}]"] if table else []
            written.append("\n".join([*head, *lines]))
    return "\n\n".join(written)


def _line(path: tuple[str, ...], value: Any, origins: Mapping[tuple[str, ...], str]) -> str:
    origin = origins.get(path)
    return f"{_bare(path[-1])} = {_value(path[-1], value)}" + (f"  # {origin}" if origin else "")


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(key, item) for item in value) + "]"
    return _text(without_secrets(key, str(value) if isinstance(value, Address) else value))


def _bare(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(value: str) -> str:
    plain = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    escaped = (plain.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in value)
    return '"' + "".join(escaped) + '"'
