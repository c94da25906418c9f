"""Work for which somebody waits, done by tasks that end with the store."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from penstock.state.redis.background import Background

T = TypeVar("T")


class Errands:
    """Runs coroutines whose failures go to whoever waits, and end nobody else's work."""

    def __init__(self, tasks: Background) -> None:
        self._tasks = tasks

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """Begins; the future has the result, or what was raised."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._tasks.start(_deliver(work, future))
        return future


async def _deliver(work: Coroutine[Any, Any, T], future: "asyncio.Future[T]") -> None:
    try:
        result = await work
    except asyncio.CancelledError:
        future.cancel()
        raise
    except Exception as error:
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)
