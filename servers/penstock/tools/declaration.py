"""`@tool`: what a function's signature can't say about it as a tool."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, get_args, overload

Effect = Literal["none", "idempotent", "once"]
DEFAULT_TIMEOUT: Final = 30.0
_MARK: Final = "__penstock_tool__"

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """Represents what was declared about a tool; the timeout is in seconds, an empty name means the function's."""

    effect: Effect = "once"
    timeout: float = DEFAULT_TIMEOUT
    name: str = ""


@overload
def tool(function: F, /) -> F: ...


@overload
def tool(*, effect: Effect = ..., timeout: float = ..., name: str = ...) -> Callable[[F], F]: ...


def tool(
    function: F | None = None, /, *, effect: Effect = "once", timeout: float = DEFAULT_TIMEOUT, name: str = ""
) -> F | Callable[[F], F]:
    """Declares a function as a tool, and leaves it a plain function.

    `effect` says what a repeat of a call does: "none" (it only reads), "idempotent" (no more than the first call did,
    because the tool honours `ToolContext.idempotency_key`) or "once" (the effect again, so that Penstock never repeats
    the call silently). `timeout` is in seconds.

    Raises:
        ValueError: an effect that there is not, or a timeout that is not a positive number.
    """
    if effect not in get_args(Effect):
        raise ValueError(f"effect={effect!r}: must be one of {', '.join(map(repr, get_args(Effect)))}")
    if not (timeout > 0 and math.isfinite(timeout)):
        raise ValueError(f"timeout={timeout!r}: must be a positive number of seconds")
    options = ToolOptions(effect, timeout, name)

    def declare(declared: F) -> F:
        setattr(declared, _MARK, options)
        return declared

    return declare if function is None else declare(function)


def is_declared(candidate: object) -> bool:
    """Tells whether an object was declared with `@tool`."""
    return isinstance(getattr(candidate, _MARK, None), ToolOptions)


def options_of(function: Callable[..., Any]) -> ToolOptions:
    """Returns what was declared about a function; the defaults where nothing was."""
    options = getattr(function, _MARK, None)
    return options if isinstance(options, ToolOptions) else ToolOptions()
