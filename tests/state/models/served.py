"""State processes for a state machine: hypothesis calls its rules from outside any event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack
from threading import Thread
from types import TracebackType
from typing import Any, TypeVar

from penstock.state.settings import StateSettings
from tests.state.house import House, open_house

T = TypeVar("T")
_SECONDS = 20.0


class Served:
    """Runs state processes over one store, in the event loop of a thread, for a block."""

    def __init__(self, settings: StateSettings, replicas: int) -> None:
        self._settings = settings
        self._replicas = replicas
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), name="served")
        self._houses: list[House] = []

    def __enter__(self) -> Served:
        self._thread.start()
        self._loop.result(_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self._loop.result()
        loop.call_soon_threadsafe(self._orders.put_nowait, None)
        self._thread.join(_SECONDS)

    def ask(self, question: Callable[[House], Awaitable[T]], at: int = 0) -> T:
        """Asks one of the state processes, and waits for the answer."""

        async def bounded() -> T:
            async with asyncio.timeout(_SECONDS):
                return await question(self._houses[at % len(self._houses)])

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop.result()).result()

    def reopen(self) -> None:
        """Ends all state processes and starts others over the same store."""
        done: Future[asyncio.AbstractEventLoop] = Future()
        self._loop.result().call_soon_threadsafe(self._orders.put_nowait, done)
        done.result(_SECONDS)

    async def _serve(self) -> None:
        # What opens the houses must close them, because they have task groups: so one task does both, by order.
        self._orders: asyncio.Queue[Future[Any] | None] = asyncio.Queue()
        opened: Future[Any] | None = self._loop
        while opened is not None:
            try:
                async with AsyncExitStack() as stack:
                    self._houses = [
                        await stack.enter_async_context(open_house(self._settings)) for _ in range(self._replicas)
                    ]
                    opened.set_result(asyncio.get_running_loop())
                    opened = await self._orders.get()
            except BaseException as error:
                if opened is None or opened.done():
                    raise
                opened.set_exception(error)
                return
