"""Streams of a run's events: its log from a cursor on, live and after the end alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from penstock.gateway.reader_telemetry import link_to_run
from penstock.gateway.run_errors import naming, still_going
from penstock.gateway.settings import GatewaySettings
from penstock.run_log.reader import LogReader
from penstock.run_log.tail import Tail
from penstock.v1.gateway_pb2 import AttachRunResponse, StreamRunResponse
from penstock.v1.run_log_pb2 import TAIL_INCLUDE_EVENTS, TAIL_INCLUDE_LIFECYCLE, TailBatch, TailInclude

if TYPE_CHECKING:
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

# A batch, and so a message, never holds more than this, or one event where that alone is bigger (at most 1 MiB).
WINDOW_BYTES: Final = 256 * 1024

# The two streams have messages of the same shape.
Message = TypeVar("Message", AttachRunResponse, StreamRunResponse)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Represents the place in a run's log from which to read; generation 0 is whichever is current."""

    tenant: str
    run_id: str
    generation: int = 0
    after_sequence: int = 0


@dataclass(frozen=True, slots=True)
class RunStreams:
    """Reads runs from their logs; needs the state layer and nothing else."""

    settings: GatewaySettings
    reader: LogReader
    run_log: RunLogServiceAsyncStub

    async def events(self, cursor: Cursor, give_up_at: float | None, message: type[Message]) -> AsyncGenerator[Message]:
        """Yields the run, then its events to the last, with an empty message after each long silence.

        Raises:
            PenstockError: NotFound, DataLoss, OutOfRange and InvalidArgument for the cursor; Unavailable while the
                state layer is away; DeadlineExceeded at loop time `give_up_at`. All name the run.
        """
        with naming(cursor.run_id):
            async with self._tail(cursor, TAIL_INCLUDE_EVENTS) as tail:
                batch = await self._next(tail, cursor, give_up_at, heartbeat=None)
                if batch is None:
                    return
                generation = batch.generation
                yield message(run=batch.run, generation=generation)
                await link_to_run(self.run_log, cursor.tenant, batch.run, self.settings.read_timeout)
                while batch is not None:
                    if batch.events or batch is _SILENCE:
                        generation = batch.generation or generation
                        yield message(events=batch.events, generation=generation)
                    batch = await self._next(tail, cursor, give_up_at, heartbeat=self.settings.heartbeat_seconds)

    async def wait_for_end(self, cursor: Cursor, give_up_at: float | None) -> TailBatch | None:
        """Returns the last news of the run when it has ended; raises as `events` does."""
        news: TailBatch | None = None
        with naming(cursor.run_id):
            async with self._tail(cursor, TAIL_INCLUDE_LIFECYCLE) as tail:
                while (batch := await self._next(tail, cursor, give_up_at, heartbeat=None)) is not None:
                    news = batch
        return news

    def _tail(self, cursor: Cursor, include: TailInclude) -> Tail:
        return self.reader.open(
            cursor.tenant,
            cursor.run_id,
            generation=cursor.generation,
            after_sequence=cursor.after_sequence,
            include=(include,),
            window_bytes=WINDOW_BYTES,
            patience=self.settings.state_patience,
        )

    async def _next(
        self, tail: Tail, cursor: Cursor, give_up_at: float | None, *, heartbeat: float | None
    ) -> TailBatch | None:
        silent_until = None if heartbeat is None else asyncio.get_running_loop().time() + heartbeat
        silence_first = silent_until is not None and (give_up_at is None or silent_until < give_up_at)
        try:
            return await tail.next(silent_until if silence_first else give_up_at)
        except TimeoutError:
            if silence_first:
                return _SILENCE
            raise still_going(cursor.run_id) from None


_SILENCE: Final = TailBatch()
