"""The calls a channel has open, and the tasks they need on the caller's side."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from penstock.wire.in_process.exchange import Exchange
from penstock.wire.in_process.server import InProcessServer


class OpenCalls:
    """Knows the calls and tasks of one channel, so that closing it can end them."""

    def __init__(self, server: InProcessServer) -> None:
        self.server = server
        self.closed = False
        self.exchanges: set[Exchange] = set()
        self.tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs what a call needs on the caller's side; the task belongs to the channel, which ends it on closing."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the call tells it to whoever awaits it

    async def close(self, grace: float | None) -> None:
        """Refuses new calls, waits up to `grace` seconds for those open, cancels the rest and ends all tasks."""
        self.closed = True
        if grace:
            try:
                async with asyncio.timeout(grace):
                    for exchange in list(self.exchanges):
                        await exchange.settled()
            except TimeoutError:
                pass
        for exchange in list(self.exchanges):
            exchange.cancel()
        tasks = self.tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
