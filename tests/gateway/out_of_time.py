"""Calls whose callers give them less time than they take."""

from collections.abc import Awaitable, Callable
from typing import Final

from penstock.wire import errors

_TRIES: Final = 10


async def out_of_time(call: Callable[[], Awaitable[errors.PenstockError]]) -> errors.PenstockError:
    """Makes a call that runs out of time, and returns what the gateway says of it.

    The gateway stops waiting a little before its caller does. Where a busy machine needs that little for other things,
    the caller hears nothing from it, and the call is made again.
    """
    for _ in range(_TRIES):
        error = await call()
        if error.metadata.get("run_id"):
            break
    return error
