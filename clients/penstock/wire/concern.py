"""What a concern is: something that happens around every rpc, written once for all kinds and both sides."""

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import cast

from penstock.wire.call import Call

# A context manager function: what stands before its `yield` happens before the call, and a call that failed raises at
# the `yield`. One that awaits nothing itself is better a plain one: it costs a third of an async one.
PlainConcern = Callable[[Call], AbstractContextManager[None]]
AsyncConcern = Callable[[Call], AbstractAsyncContextManager[None]]
Concern = PlainConcern | AsyncConcern


def as_plain(concern: Concern) -> PlainConcern | None:
    """Returns a concern that was made by `contextmanager`; None for any other."""
    return cast(PlainConcern, concern) if inspect.isgeneratorfunction(inspect.unwrap(concern)) else None


def as_async(concern: Concern) -> AsyncConcern:
    """Returns a concern that isn't a plain one as what it then is."""
    return cast(AsyncConcern, concern)
