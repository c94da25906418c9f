"""What a concern is: something that happens around every rpc, written once for all kinds and both sides."""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, cast

from penstock.wire.call import Call

Proceed = Callable[[], Awaitable[Any]]

# A context manager function: what stands before its `yield` happens before the call, and a call that failed raises at
# the `yield`. A plain one, which awaits nothing itself, costs two thirds of an async one. One on every call's way that
# has to await is better a coroutine function, which returns what `proceed` returns: it costs a tenth.
PlainConcern = Callable[[Call], AbstractContextManager[None]]
AsyncConcern = Callable[[Call], AbstractAsyncContextManager[None]]
EnclosingConcern = Callable[[Call, Proceed], Awaitable[Any]]
Concern = PlainConcern | AsyncConcern | EnclosingConcern


def as_enclosing(concern: Concern) -> EnclosingConcern:
    """Returns a concern of any form as the function that does the whole of it."""
    function = inspect.unwrap(concern)
    if inspect.iscoroutinefunction(function):
        return cast(EnclosingConcern, concern)
    if inspect.isgeneratorfunction(function):
        plain = cast(PlainConcern, concern)

        async def enclose(call: Call, proceed: Proceed) -> Any:
            with plain(call):
                return await proceed()

    else:
        asynchronous = cast(AsyncConcern, concern)

        async def enclose(call: Call, proceed: Proceed) -> Any:
            async with asynchronous(call):
                return await proceed()

    return enclose
