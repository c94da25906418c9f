"""How values of each type are read, from a typed file or from text."""

import math
import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from penstock.server.address import Address
from penstock.server.option import Reader
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.target import grpc_target

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_OBJECT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://.*", re.DOTALL)


def text(value: Any) -> str:
    """Reads a text that is not empty."""
    if not isinstance(value, str):
        raise ValueError(f"is {_kind(value)}; write a text")
    if not value.strip():
        raise ValueError("is empty; write a text, or leave the key out for its default")
    return value


def any_text(value: Any) -> str:
    """Reads a text, empty or not."""
    if not isinstance(value, str):
        raise ValueError(f"is {_kind(value)}; write a text")
    return value


def name(value: Any) -> str:
    """Reads an id."""
    if not is_id(text(value)):
        raise ValueError(f"{value!r} is no name; write {ID_RULE}")
    return str(value)


def one_of(*choices: str) -> Reader:
    """Makes a reader of one of these words."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"{value!r} is not known; choose {', '.join(choices[:-1])} or {choices[-1]}")
        return str(value)

    return read


def truth(value: Any) -> bool:
    """Reads true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"is {_kind(value)}; write true or false")
    return value


def truth_text(value: Any) -> bool:
    """Reads true or false from text."""
    word = str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{value!r} is neither true nor false; write one of them")
    return word in _TRUE


def number(low: float, high: float = math.inf, *, whole: bool = False) -> Reader:
    """Makes a reader of numbers between two bounds, both included."""
    what = "a whole number" if whole else "a number"
    bounds = f"at least {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise ValueError(f"is {_kind(value)}; write {what} {bounds}")
        if not low <= value <= high:  # so NaN is refused, too
            raise ValueError(f"{value:g} is out of range; write {what} {bounds}")
        return value

    return read


def from_text(convert: Callable[[str], Any], what: str, read: Reader) -> Reader:
    """Makes a reader which converts text before it reads."""

    def read_text(value: Any) -> Any:
        try:
            converted = convert(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is not {what}") from None
        return read(converted)

    return read_text


def address(value: Any) -> Address:
    """Reads where to listen."""
    return Address.parse(text(value))


def optional_address(value: Any) -> Address | None:
    """Reads where to listen; empty: nowhere."""
    return Address.parse(value) if any_text(value) else None


def admin_address(value: Any) -> Address | str:
    """Reads where to administer: `auto`, `none`, or an address that no other machine can reach."""
    if text(value) in ("auto", "none"):
        return str(value)
    read = Address.parse(value)
    if not read.path and not _is_loopback(read.host):
        raise ValueError(
            f"{value!r} can be reached by other machines, and whoever reaches it may read and write everything; "
            "write unix:/path, 127.0.0.1:PORT, auto or none"
        )
    return read


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def optional_tcp_address(value: Any) -> Address | None:
    """Reads where to listen for HTTP; empty: nowhere."""
    read = optional_address(value)
    if read is not None and read.path:
        raise ValueError(f"{value!r} is a socket's path; write HOST:PORT")
    return read


def target(value: Any) -> str:
    """Reads where another process listens; kept as written, because gRPC's form of it is made at the channel."""
    grpc_target(text(value))
    return str(value)


def url(value: Any) -> str:
    """Reads the URL of a store."""
    if not _URL.fullmatch(text(value)):
        raise ValueError("is no URL; write for example sqlite:///penstock.db or redis://127.0.0.1:6379")
    return str(value)


def python_object(value: Any) -> str:
    """Reads the place of a Python object."""
    if not _OBJECT.fullmatch(text(value)):
        raise ValueError(f"{value!r} names no Python object; write module:attribute, as in examples.echo:echo")
    return str(value)


def listed(item: Reader) -> Reader:
    """Makes a reader of lists."""

    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"is {_kind(value)}; write a list")
        return tuple(item(each) for each in value)

    return read


def split_text(value: Any) -> Any:
    """Turns text with commas between into a list; a list of flags is one already."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", str: "a text", int: "a whole number", float: "a number", list: "a list"}
    return kinds.get(type(value), f"a {type(value).__name__}")
