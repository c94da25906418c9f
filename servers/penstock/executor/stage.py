"""`Stage`: where agents' code runs, apart from the calls that wait for it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")
_LOGGER: Final = logging.getLogger("penstock.executor")


class Stage:
    """Runs each piece of work in a task of its own, so that one which swallows its cancellation holds up nobody.

    Work given to it must not raise: the group it belongs to is that of the whole layer.
    """

    def __init__(self, group: asyncio.TaskGroup, stop_grace: float) -> None:
        self._group = group
        self._stop_grace = stop_grace

    def start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Starts work, in the caller's context of request and deadline."""
        return self._group.create_task(work, name=name)

    async def stop(self, task: asyncio.Task[Any]) -> None:
        """Cancels work and waits until it has cleaned up, but not for ever."""
        if task.done():
            return
        task.cancel()
        await asyncio.wait({task}, timeout=self._stop_grace)
        if not task.done():
            _LOGGER.error("%s did not stop within %s s of its cancellation", task.get_name(), self._stop_grace)
