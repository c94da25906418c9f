"""The configuration as TOML, with what must stay secret hidden."""

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.server.address import Address
from penstock.server.config import Config

HIDDEN: Final = "********"

_SECRET_KEY: Final = re.compile(r"(?i).*(?:_key|_token|_secret|password|credential)s?|key|token|secret")
_IN_URL: Final = re.compile(r"(?i)(\w+://[^/@\s:]*:)[^/@\s]+(?=@)")
_IN_QUERY: Final = re.compile(r"(?i)([?&](?:[\w-]*(?:password|token|secret|key))=)[^&#\s]*")
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


def without_secrets(key: str, value: str) -> str:
    """Hides a value whose key says that it is secret, and passwords inside URLs."""
    if _SECRET_KEY.fullmatch(key) and value:
        return HIDDEN
    return _IN_QUERY.sub(rf"\1{HIDDEN}", _IN_URL.sub(rf"\1{HIDDEN}", value))


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
