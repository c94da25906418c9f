"""Tasks that run beside a block, and end with it."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class Background:
    """Starts tasks that end when they are cancelled."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts a task."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """Cancels all tasks."""
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def background() -> AsyncGenerator[Background]:
    """Lets tasks run beside the block; a task that fails ends the block, and what the block raises comes out bare."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = Background(group)
        try:
            yield tasks
        except Exception as error:
            failure = error  # the block's own, which no group is to wrap
        finally:
            tasks.cancel()
    if failure is not None:
        raise failure
