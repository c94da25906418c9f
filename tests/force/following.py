"""Readers that follow a run to its end, whatever breaks on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc.aio

from penstock.run_log.reader import LogReader
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import ReadEventsRequest
from penstock.wire.errors import DataLoss, NotFound, PenstockError, Unavailable
from penstock.wire.status import from_rpc_error
from tests.force.history import History, PromiseBroken
from tests.force.replica import Door

TENANT = "acme"
AGAIN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
# Another process that comes up again sets no event of ours.
PAUSE = 0.05


class Lost(Exception):
    """Says that the store no longer knows a run."""


class Cursor:
    """Stands where a reader is in a log, and takes in what it is shown next."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.generation = 0
        self.after = 0
        self.durable = 0
        self.over = False

    def take(self, generation: int, durable: int, events: list[RunEvent]) -> None:
        """Takes in a piece of the log; refuses gaps, repeats, another generation, and numbers that rewind."""
        run_id = self.history.run_id
        if self.generation not in (0, generation):
            raise PromiseBroken(f"{run_id}: a stream of generation {self.generation} went on in {generation}")
        self.generation = generation
        if durable < self.durable:
            raise PromiseBroken(f"{run_id}: durable went back from {self.durable} to {durable} within {generation}")
        self.durable = durable
        for event in events:
            if event.sequence != self.after + 1 or event.sequence > durable:
                raise PromiseBroken(f"{run_id}: after {self.after} came {event.sequence}, durable was {durable}")
            self.after = event.sequence
            self.history.saw(generation, event)
            self.over = event.HasField("run_finished")

    def refused(self, error: PenstockError) -> None:
        """Goes on in the generation that the refusal names, or raises what no reader may be told."""
        if isinstance(error, NotFound):
            raise Lost
        if not isinstance(error, DataLoss):
            raise PromiseBroken(f"{self.history.run_id}: a reader after {self.after} was told {error!r}")
        if error.generation <= self.generation or error.last_common_sequence > self.after:
            raise PromiseBroken(f"{self.history.run_id}: {error!r} for ({self.generation}, {self.after})")
        self.generation, self.after, self.durable = error.generation, error.last_common_sequence, 0


async def follow_by_reading(pick: Callable[[], Door], history: History) -> None:
    """Follows a run by ReadEvents, at another process after each break.

    Raises PromiseBroken when it is shown what it may not be shown, Lost when the run is not there.
    """
    cursor = Cursor(history)
    while not cursor.over:
        request = ReadEventsRequest(
            tenant=TENANT,
            run_id=history.run_id,
            generation=cursor.generation,
            after_sequence=cursor.after,
            follow=True,
        )
        call = pick().log.ReadEvents(request)
        try:
            async for response in call:
                cursor.take(response.generation, response.durable_sequence, list(response.events))
        except grpc.aio.AioRpcError as error:
            if error.code() not in AGAIN:
                cursor.refused(from_rpc_error(error))
            await asyncio.sleep(PAUSE)
        finally:
            call.cancel()


async def follow_by_tail(reader: LogReader, history: History) -> None:
    """Follows a run as the product does: by a tail on the one stream of its process."""
    cursor = Cursor(history)
    while not cursor.over:
        opened = reader.open(
            TENANT, history.run_id, generation=cursor.generation, after_sequence=cursor.after, patience=60.0
        )
        try:
            async with opened as tail:
                while (batch := await tail.next()) is not None:
                    cursor.take(batch.generation, batch.durable_sequence, list(batch.events))
        except Unavailable:
            await asyncio.sleep(PAUSE)
        except PenstockError as error:
            cursor.refused(error)


async def read_whole(door: Door, run_id: str) -> tuple[int, list[RunEvent]]:
    """Returns the generation of a run's log and all that is in it now."""
    call = door.log.ReadEvents(ReadEventsRequest(tenant=TENANT, run_id=run_id))
    generation, events = 0, []
    async for response in call:
        generation = response.generation
        events += response.events
    return generation, events


async def common_with(door: Door, run_id: str, generation: int, after: int) -> int:
    """Returns up to which sequence a log agrees with a cursor's generation."""
    call = door.log.ReadEvents(
        ReadEventsRequest(tenant=TENANT, run_id=run_id, generation=generation, after_sequence=after)
    )
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        told = from_rpc_error(error)
        if isinstance(told, DataLoss):
            return told.last_common_sequence
        raise
    return after
