"""One run as a reader follows it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from penstock.v1 import run_log_pb2
from penstock.v1.run_log_pb2 import TailBatch, TailInclude, TailOpen
from penstock.wire.errors import PenstockError
from penstock.wire.status import from_status

if TYPE_CHECKING:
    from penstock.run_log.reader import LogReader


class Tail:
    """Follows one run from a cursor on; made by LogReader.open and used as an async context manager.

    What was received and not yet taken is bounded by the window: the store sends more only as `next` takes it.
    """

    def __init__(self, reader: LogReader, opening: TailOpen, window_bytes: int, patience: float) -> None:
        self._reader = reader
        self._opening = opening
        self._window = window_bytes
        self._batches: deque[TailBatch] = deque()
        self._unused = 0
        self._held = 0
        self._ended = False
        self._error: PenstockError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.patience = patience
        self.opened_at = 0.0
        self.tail_id = 0

    async def __aenter__(self) -> Tail:
        self.opened_at = asyncio.get_running_loop().time()
        self._reader.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reader.remove(self)

    async def next(self, until: float | None = None) -> TailBatch | None:
        """Returns the next news of the run, or None once its log has been read to the end.

        Cancelling it loses nothing: it can be called again.

        Raises:
            TimeoutError: nothing came until this time of the loop's clock (None: wait for ever).
            PenstockError: NotFound, DataLoss, OutOfRange, InvalidArgument (a cursor beyond the end), Unavailable when
                the state layer was away for longer than the reader's patience.
        """
        while not self._batches:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            await self._wait(until)
        batch = self._batches.popleft()
        self._held -= batch.used_bytes
        self._unused += batch.used_bytes
        if self._unused * 2 >= self._window and not self._ended:
            self._reader.grant(self, self._unused)
            self._unused = 0
        return batch

    async def _wait(self, until: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = waiter = loop.create_future()
        # A timer alone: readers come by here for each token, and `asyncio.timeout_at` costs five times as much.
        timer = None if until is None else loop.call_at(until, _give_up, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def take(self, batch: TailBatch) -> None:
        """Takes in news; called by the reader."""
        if batch.events:
            self._opening.after_sequence = batch.events[-1].sequence
        if batch.generation:
            self._opening.generation = batch.generation
        if batch.HasField("error"):
            self._error = from_status(batch.error)
        self._ended = batch.closed
        self._held += batch.used_bytes
        # The last batch may say no more than that this was the end.
        if batch.events or batch.signals or batch.HasField("run"):
            self._batches.append(batch)
        self._wake()

    def fail(self, error: PenstockError) -> None:
        """Ends the tail with an error, after what was received is taken; called by the reader."""
        self._error = error
        self._wake()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._ended or self._error is not None

    def opening(self, tail_id: int) -> TailOpen:
        """Returns the request that follows the run from where this tail stands; called by the reader."""
        self.tail_id = self._opening.tail_id = tail_id
        self._unused = 0
        self._opening.credit_bytes = max(0, self._window - self._held)
        return self._opening

    def _wake(self) -> None:
        # A cancelled waiter is done already; setting it would raise in the reader, and end all other tails with it.
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _give_up(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def opening(tenant: str, run_id: str, generation: int, after_sequence: int, include: Sequence[TailInclude]) -> TailOpen:
    """Makes the request for a tail, without id and credit."""
    return run_log_pb2.TailOpen(
        tenant=tenant, run_id=run_id, generation=generation, after_sequence=after_sequence, include=include
    )
