"""Streams that are held open: each has said one token, and its agent waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from benchmarks.load.callers import Caller
from benchmarks.load.workloads import Loaded
from benchmarks.work import task

STREAMS_A_CONNECTION: Final = 90  # Penstock's door takes 100; what ends a stream needs room too
LONGEST: Final = 600.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Asks for this many streams to be open; a unit is one that was opened for it."""

    streams: int


class HeldStreams:
    """Keeps streams open from one order to the next; for use with `async with`, which closes them."""

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Caller]]) -> None:
        self._connect = connect
        self._group = asyncio.TaskGroup()
        self._connections = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._caller: Caller | None = None

    async def __aenter__(self) -> Self:
        await self._connections.__aenter__()
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._close()
            await self._group.__aexit__(kind, error, trace)
        finally:
            await self._connections.aclose()

    async def reach(self, hold: Hold) -> Loaded:
        """Opens streams until as many are open, and returns when each has said its token; 0 closes them all."""
        begin, before = time.monotonic(), len(self._tasks)
        if not hold.streams:
            await self._close()
        opened = [await self._open() for _ in range(before, hold.streams)]
        for first in opened:
            await first.wait()
        return Loaded(len(opened), time.monotonic() - begin)

    async def _open(self) -> asyncio.Event:
        if not len(self._tasks) % STREAMS_A_CONNECTION:
            self._caller = await self._connections.enter_async_context(self._connect())
        assert self._caller is not None
        first = asyncio.Event()
        self._tasks.append(self._group.create_task(_hold(self._caller, first)))
        return first

    async def _close(self) -> None:
        # One after another: the calls that cancel runs would otherwise be refused for the streams that still close.
        while self._tasks:
            held = self._tasks.pop()
            held.cancel()
            await asyncio.wait([held])


async def _hold(caller: Caller, first: asyncio.Event) -> None:
    async with aclosing(caller.stream(task(2, 1 / LONGEST))) as stream:
        async for _ in stream:
            first.set()
    raise RuntimeError("a stream that was to be held has ended")
