"""What the two ends of one in-process call share: both queues, the metadata, the deadline and the end."""

import asyncio
import logging
from collections.abc import Callable

from penstock.wire.in_process.final_status import CANCELLED, DEADLINE_EXCEEDED, FinalStatus
from penstock.wire.in_process.message_queue import MessageQueue
from penstock.wire.in_process.metadata import Pair

_LOGGER = logging.getLogger(__name__)

# A timer beyond this many seconds (three years) would never ring anyway.
MAX_TIMER = 1e8


class Exchange:
    """Represents one call in flight.

    open ── finish (handler's end) ──> draining ── last message read ──> settled
      └──── finish without unread messages, or break_off ──────────────────┘

    The caller sees `status` once settled: what the handler wrote comes first, unless the call is broken off.
    """

    __slots__ = (
        "_initial_waiters",
        "_last",
        "_on_settled",
        "_timer",
        "_waiters",
        "deadline",
        "finished",
        "initial",
        "locally_cancelled",
        "loop",
        "metadata",
        "method",
        "peer",
        "requests",
        "response_streaming",
        "responses",
        "status",
        "task",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        method: str,
        metadata: tuple[Pair, ...],
        timeout: float | None,
        response_streaming: bool,
        peer: str,
    ) -> None:
        self.loop = loop
        self.method = method
        self.metadata = metadata
        self.response_streaming = response_streaming
        self.peer = peer
        self.requests = MessageQueue(loop)
        self.responses = MessageQueue(loop)
        self.initial: tuple[Pair, ...] | None = None
        self.status: FinalStatus | None = None
        self.finished = False  # the handler has said how the call ends
        self.locally_cancelled = False
        self.task: asyncio.Task[None] | None = None  # the handler's
        self.deadline: float | None = None
        self._last: FinalStatus | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._initial_waiters: list[asyncio.Future[None]] = []
        self._on_settled: list[Callable[[], object]] = []
        if timeout is not None:
            self.deadline = loop.time() + timeout
            if not timeout > 0:  # not a number, too
                self.settle(DEADLINE_EXCEEDED)
            elif timeout < MAX_TIMER:
                self._timer = loop.call_later(timeout, self.break_off, DEADLINE_EXCEEDED)

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, never negative (None: there is no deadline)."""
        return None if self.deadline is None else max(self.deadline - self.loop.time(), 0.0)

    def begin_response(self, initial: tuple[Pair, ...] = ()) -> None:
        """Gives the caller the initial metadata, once."""
        if self.initial is None:
            self.initial = initial
            for waiter in self._initial_waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._initial_waiters.clear()

    def finish(self, status: FinalStatus) -> None:
        """Ends the call from the handler's side, after the messages it has written; later calls do nothing."""
        if self.finished:
            return
        self.finished = True
        self.begin_response()
        self.requests.abandon()
        if self.response_streaming and self.responses.messages:
            self._last = status
            self.responses.close()
        else:
            self.settle(status)

    def take_response(self) -> bytes:
        """Takes the oldest response, and settles the call when it was the last."""
        message = self.responses.pop()
        if self._last is not None and not self.responses.messages:
            self.settle(self._last)
        return message

    def break_off(self, status: FinalStatus) -> bool:
        """Ends the call now: unread messages are lost and the handler is cancelled; says whether it was still open."""
        if self.status is not None:
            return False
        self.responses.abandon()
        self.requests.abandon()
        running = not self.finished
        self.finished = True
        self.settle(status)
        if running and self.task is not None:
            self.task.cancel()
        return True

    def cancel(self, status: FinalStatus = CANCELLED) -> bool:
        """Ends the call because the caller wants no more of it."""
        if self.status is not None:
            return False
        self.locally_cancelled = True
        return self.break_off(status)

    def settle(self, status: FinalStatus) -> None:
        """Lets the caller see the end."""
        if self.status is not None:
            return
        self.status = status
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.begin_response()
        self.responses.close()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        callbacks, self._on_settled = self._on_settled, []
        for callback in callbacks:
            _run(callback)

    def on_settled(self, callback: Callable[[], object]) -> None:
        """Calls back when the caller can see the end; at once if it can already."""
        if self.status is None:
            self._on_settled.append(callback)
        else:
            _run(callback)

    async def settled(self) -> FinalStatus:
        """Waits for the end of the call."""
        if self.status is None:
            waiter = self.settling()
            try:
                await waiter
            finally:
                if self.status is None:
                    self._waiters.remove(waiter)
        assert self.status is not None  # what was just waited for
        return self.status

    def settling(self) -> asyncio.Future[None]:
        """Makes a future that is done at the end of the call."""
        future = self.loop.create_future()
        self._waiters.append(future)
        return future

    async def initial_metadata(self) -> tuple[Pair, ...]:
        """Waits for the beginning of the response."""
        while self.initial is None:
            await self._wait(self._initial_waiters)
        return self.initial

    async def _wait(self, waiting: list[asyncio.Future[None]]) -> None:
        future = self.loop.create_future()
        waiting.append(future)
        try:
            await future
        finally:
            if future in waiting:  # cancelled
                waiting.remove(future)


def _run(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        _LOGGER.exception("a done callback of an in-process call failed")
