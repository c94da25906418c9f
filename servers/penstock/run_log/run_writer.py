"""The writing end of one attempt, or of a run's owner."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from penstock.run_log.refusal import LogStalled
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import AppendEventsEntry, AppendEventsResult
from penstock.v1.session_pb2 import SessionMessage

if TYPE_CHECKING:
    from penstock.run_log.writer import LogWriter

# An agent that never awaits anything but its emits would otherwise hold the event loop until its buffer is full.
_YIELD_EVERY: Final = 128
_ENTRY_BYTES: Final = 768 * 1024
# Tag and length of a message inside another.
_FRAME_BYTES: Final = 5


@dataclass(slots=True, eq=False)
class Entry:
    """Represents one atomic append on its way, and who waits for it."""

    writer: RunWriter
    message: AppendEventsEntry
    size: int
    waiters: list[asyncio.Future[AppendEventsResult]] = field(default_factory=list)


class RunWriter:
    """Takes the events of one attempt in order and hands them to the process's LogWriter in atomic entries.

    open ──▶ refused   the log turned an entry away: every later call raises AppendRefused
      └────▶ closed    no more is sent; what was not sent yet is dropped
    """

    def __init__(self, log: LogWriter, head: AppendEventsEntry) -> None:
        self._log = log
        self._head = head
        self._sealed: deque[Entry] = deque()
        self._open: Entry | None = None
        self._sequence = 0
        self._since_yield = 0
        self._unacknowledged = 0
        self._room = asyncio.Event()
        self._on_failed: Callable[[], None] | None = None
        self.error: Exception | None = None
        self.closed = False
        self.last_sequence = 0

    async def emit(self, *events: RunEvent) -> None:
        """Takes events, each for itself; returns at once unless 1 MiB of the run is unacknowledged.

        Raises:
            AppendRefused: the log refused this writer.
            LogStalled: there was no room for 30 s.
        """
        for event in events:
            self._put((event,))
            self._since_yield += 1
            if self._unacknowledged > self._log.settings.unacknowledged_bytes:
                await self._wait_for_room()
            elif self._since_yield >= _YIELD_EVERY:
                self._since_yield = 0
                await asyncio.sleep(0)

    async def append(
        self, *events: RunEvent, session_messages: Sequence[SessionMessage] = (), checkpoint: bytes | None = None
    ) -> AppendEventsResult:
        """Appends events in one atomic entry after all that was emitted before, and returns when it is acknowledged.

        Raises:
            AppendRefused: the log refused this writer.
            LogStalled: no acknowledgement came for 30 s; whether the entry is in the log is not known.
        """
        entry = self._put(events)
        entry.message.session_messages.extend(session_messages)
        size = _size(session_messages)
        if checkpoint is not None:
            entry.message.checkpoint = checkpoint
            size += len(checkpoint)
        entry.size += size
        self._unacknowledged += size
        # Whatever comes after this, a step's end may be in it, must not share its fate.
        self._seal()
        return await self._wait_for(entry)

    def on_failed(self, callback: Callable[[], None]) -> None:
        """Calls back when this writer can write no more; `error` then says why."""
        self._on_failed = callback
        if self.error is not None:
            callback()

    def close(self) -> None:
        """Drops what was not sent yet. Idempotent."""
        self.closed = True
        self._sealed.clear()
        self._open = None

    @property
    def pending(self) -> bool:
        """Whether there are entries to be sent."""
        return bool(self._sealed) or self._open is not None

    def next_entry(self) -> Entry | None:
        """Seals and returns the next entry to be sent; called by the LogWriter."""
        if not self._sealed:
            self._seal()
        return self._sealed.popleft() if self._sealed else None

    def acknowledged(self, entry: Entry, result: AppendEventsResult) -> None:
        """Notes an acknowledgement; called by the LogWriter."""
        self._unacknowledged -= entry.size
        self.last_sequence = max(self.last_sequence, result.last_sequence)
        self._room.set()
        for waiter in entry.waiters:
            if not waiter.done():
                waiter.set_result(result)

    def failed(self, entry: Entry, error: Exception) -> None:
        """Notes that an entry will never be in the log; called by the LogWriter."""
        if self.error is None:
            self.error = error
        for lost in (entry, *self._sealed, *((self._open,) if self._open else ())):
            for waiter in lost.waiters:
                if not waiter.done():
                    waiter.set_exception(error)
        self.close()
        self._room.set()
        if self._on_failed is not None:
            self._on_failed()

    def _put(self, events: Sequence[RunEvent]) -> Entry:
        if self.error is not None:
            raise self.error
        if self.closed:
            raise RuntimeError("this writer was closed")
        size = _size(events)
        if self._open is not None and self._open.size + size > _ENTRY_BYTES:
            self._seal()
        entry = self._open
        if entry is None:
            entry = self._open = self._new_entry()
            self._unacknowledged += entry.size
        entry.message.events.extend(events)
        entry.size += size
        self._unacknowledged += size
        self._log.mark_dirty(self)
        return entry

    def _new_entry(self) -> Entry:
        message = AppendEventsEntry()
        message.CopyFrom(self._head)
        self._sequence += 1
        message.writer_sequence = self._sequence
        return Entry(self, message, message.ByteSize() + _FRAME_BYTES)

    def _seal(self) -> None:
        if self._open is not None:
            self._sealed.append(self._open)
            self._open = None

    async def _wait_for(self, entry: Entry) -> AppendEventsResult:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[AppendEventsResult] = loop.create_future()
        entry.waiters.append(waiter)
        patience = self._log.settings.stall_seconds
        # A timer alone: every run comes by here, and `asyncio.timeout` costs five times as much.
        timer = None if patience is None else loop.call_later(patience, _stall, waiter)
        try:
            return await waiter
        finally:
            if timer is not None:
                timer.cancel()

    async def _wait_for_room(self) -> None:
        try:
            async with asyncio.timeout(self._log.settings.stall_seconds):
                while self._unacknowledged > self._log.settings.unacknowledged_bytes and self.error is None:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            raise LogStalled("the run log took nothing for too long") from None
        if self.error is not None:
            raise self.error


def _stall(waiter: asyncio.Future[AppendEventsResult]) -> None:
    if not waiter.done():
        waiter.set_exception(LogStalled("the run log acknowledged nothing for too long"))


def _size(messages: Iterable[RunEvent | SessionMessage]) -> int:
    return sum(message.ByteSize() + _FRAME_BYTES for message in messages)
