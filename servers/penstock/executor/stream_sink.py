"""`StreamSink`: hands events straight to a caller, and keeps none."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from penstock.executor.outcome import Lost, Work, end_of, outcome_of
from penstock.executor.step_attempt import Attempt
from penstock.v1.run_event_pb2 import RunEvent

MAX_WAITING_BYTES: Final = 256 * 1024


class StreamSink:
    """Numbers events from 1 and holds them until they are taken; at 256 KiB the agent waits for its reader."""

    def __init__(self) -> None:
        self._waiting: deque[RunEvent] = deque()
        self._bytes = 0
        self._sequence = 0
        self._ended = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def emit(self, *events: RunEvent) -> None:
        """Takes events, and waits while the reader is behind."""
        for event in events:
            self._sequence += 1
            event.sequence = self._sequence
            event.time.GetCurrentTime()
            self._bytes += event.ByteSize()
            self._waiting.append(event)
        self._filled.set()
        while self._bytes > MAX_WAITING_BYTES:
            self._emptied.clear()
            await self._emptied.wait()

    async def append(self, *events: RunEvent) -> None:
        """Takes events; there is no record that could lose them."""
        await self.emit(*events)

    def end(self) -> None:
        """Notes that no more will come."""
        self._ended = True
        self._filled.set()

    async def batches(self) -> AsyncGenerator[list[RunEvent]]:
        """Yields what has gathered since the last time, until the end."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            batch = list(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            self._emptied.set()
            if batch:
                yield batch
            if self._ended and not self._waiting:
                return


async def stream_work(work: Work, attempt: Attempt, sink: StreamSink, request_id: str) -> None:
    """Does the work of an attempt, and ends its stream with how it ended."""
    try:
        outcome = await outcome_of(work, f"step {attempt.step_id}, unrecorded,", request_id)
        if not isinstance(outcome, Lost):  # a stream has no log to be lost with
            end = RunEvent(step_id=attempt.step_id, attempt=attempt.attempt, step_finished=end_of(outcome))
            await sink.emit(end)
    finally:
        sink.end()
