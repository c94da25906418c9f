"""One direction of an in-process call: serialized messages in order, bounded."""

import asyncio
from collections import deque

from penstock.wire.in_process.limits import MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES


class MessageQueue:
    """Carries messages from a writer to a reader, and makes a writer that is far ahead wait.

    Looking at `messages` and calling `push` and `pop` cost no task switch; only an empty or a full queue does.
    """

    __slots__ = ("_arrivals", "_bytes", "_loop", "_rooms", "abandoned", "closed", "messages")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.messages: deque[bytes] = deque()
        self.closed = False  # the writer is done
        self.abandoned = False  # the reader is gone
        self._bytes = 0
        self._loop = loop
        self._arrivals: list[asyncio.Future[None]] = []
        self._rooms: list[asyncio.Future[None]] = []

    @property
    def full(self) -> bool:
        """Whether a writer has to wait for `room` first."""
        return len(self.messages) >= MAX_QUEUED_MESSAGES or self._bytes >= MAX_QUEUED_BYTES

    def push(self, message: bytes) -> None:
        """Adds a message; to an abandoned queue it is as if it had been lost on the way."""
        if self.abandoned:
            return
        self.messages.append(message)
        self._bytes += len(message)
        if self._arrivals:
            _wake(self._arrivals)

    def pop(self) -> bytes:
        """Takes the oldest message (IndexError if there is none)."""
        message = self.messages.popleft()
        self._bytes -= len(message)
        # Half empty, so that the two take turns at many messages, not at each.
        if (
            self._rooms
            and len(self.messages) * 2 <= MAX_QUEUED_MESSAGES
            and (self._bytes * 2 <= MAX_QUEUED_BYTES or not self.messages)
        ):
            _wake(self._rooms)
        return message

    async def room(self) -> None:
        """Waits until a writer may go on, or the reader is gone."""
        while self.full and not self.abandoned:
            await self._wait(self._rooms)

    async def arrival(self) -> None:
        """Waits until there may be a message to take, or an end to notice."""
        await self._wait(self._arrivals)

    def close(self) -> None:
        """Says that no message follows."""
        self.closed = True
        if self._arrivals:
            _wake(self._arrivals)

    def abandon(self) -> None:
        """Forgets what is queued and lets everyone go who waits at either end."""
        self.abandoned = True
        self.closed = True
        self.messages.clear()
        self._bytes = 0
        if self._arrivals:
            _wake(self._arrivals)
        if self._rooms:
            _wake(self._rooms)

    async def _wait(self, waiting: list[asyncio.Future[None]]) -> None:
        future = self._loop.create_future()
        waiting.append(future)
        try:
            await future
        finally:
            if future in waiting:  # cancelled
                waiting.remove(future)


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
    waiting.clear()
