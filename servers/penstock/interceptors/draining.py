"""Draining: a server that is about to leave starts nothing new, and knows what it still has to wait for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from penstock.wire.call import Call
from penstock.wire.errors import Draining

# Calls that start work; another replica will take them.
STARTING: Final = frozenset(
    {
        "/penstock.v1.GatewayService/CreateRun",
        "/penstock.v1.GatewayService/StreamRun",
        "/penstock.v1.GatewayService/ExecuteRun",
        "/penstock.v1.OrchestratorService/StartRun",
        "/penstock.v1.ExecutorService/Execute",
        "/penstock.v1.ExecutorService/StreamExecute",
    }
)

# Calls worth waiting for: they end with their work. A tail, a claim or a health watch would never end by itself.
AWAITED: Final = STARTING | {
    "/penstock.v1.GatewayService/AttachRun",
    "/penstock.v1.ToolRunnerService/CallTool",
}


class Gate:
    """Counts the awaited calls of one listener, and closes for new work.

    OPEN ── close ──> CLOSED (work that has begun goes on; `idle` returns when the last of it has ended)
    """

    def __init__(self) -> None:
        self.closed = False
        self.awaited = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def close(self) -> None:
        """Refuses from now on whatever starts work."""
        self.closed = True

    async def idle(self) -> None:
        """Waits until no awaited call is in progress."""
        await self._idle.wait()

    @contextmanager
    def concern(self, call: Call) -> Iterator[None]:
        """Refuses calls that start work once the gate is closed, with Draining; counts those to wait for."""
        if self.closed and call.method in STARTING:
            raise Draining("this server is shutting down; another replica, or the next start, will answer")
        if call.method not in AWAITED:
            yield
            return
        self.awaited += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.awaited -= 1
            if self.awaited == 0:
                self._idle.set()
