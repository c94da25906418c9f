"""What goes wrong with a command, in the mesh's own errors."""

from typing import Final

from penstock.wire.errors import PenstockError, ResourceExhausted, Unavailable

UNAVAILABLE: Final = "STORE_UNAVAILABLE"
_UNKNOWN: Final = "unknown"
# Refusals of a server that has not begun with the command, and may well take it a little later.
PASSING: Final = frozenset({"LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "BUSY", "NOREPLICAS", "READONLY"})


class RedisRefused(Exception):
    """The server refused a command for a reason that only a fault of ours explains."""


def not_done() -> Unavailable:
    """Says that nothing was done."""
    return Unavailable("the state layer can't reach its Redis now; nothing was done", reason=UNAVAILABLE)


def maybe_done() -> Unavailable:
    """Says that the connection was lost between command and answer."""
    return Unavailable(
        "the state layer lost its Redis before the answer; whether it was written is not known",
        reason=UNAVAILABLE,
        metadata={"outcome": _UNKNOWN},
    )


def is_unclear(error: BaseException) -> bool:
    """Tells whether what failed may have been done all the same."""
    return isinstance(error, PenstockError) and error.metadata.get("outcome") == _UNKNOWN


def refusal(text: str) -> Exception:
    """Turns the text of a refusal that will not pass by itself into an error."""
    code = text.split(" ", 1)[0]
    if code == "OOM" or (code == "MISCONF" and "space" in text):
        return ResourceExhausted("the state layer's Redis is full; nothing was written", reason="STORE_FULL")
    if code in ("MISCONF", "NOAUTH", "NOPERM", "WRONGPASS", *PASSING):
        error = not_done()
        error.__cause__ = RedisRefused(text)
        return error
    return RedisRefused(text)
