"""One reading process's stream: many tails, of which none holds up another."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from penstock.state.settings import StateSettings
from penstock.state.stores import RunStore
from penstock.state.tails.tail import Tail, open_tail
from penstock.state.violations import Violations
from penstock.v1.run_log_pb2 import TailBatch, TailCredit, TailEventsRequest, TailEventsResponse, TailInclude, TailOpen
from penstock.wire.errors import DataLoss, InvalidArgument, NotFound, OutOfRange, PenstockError, ResourceExhausted
from penstock.wire.status import to_status

MAX_CREDIT: Final = 2**62
"""Most bytes that a tail may have as credit: more than any log has, and sums of it stay in 64 bits."""

INCLUDES: Final = frozenset(TailInclude.values())
"""What of a run may be asked for."""

# Failures that may wait for a reader to take them.
_MOST_UNTOLD: Final = 1000

Write = Callable[[TailEventsResponse], Awaitable[None]]


class TailStream:
    """Follows runs for one reader: takes in what it asks for, and sends what is new of all its runs together.

    The next response is gathered only when the one before is written, from whatever has news and credit then; so a
    reader that does not read costs its cursors and nothing else.
    """

    def __init__(self, runs: RunStore, settings: StateSettings) -> None:
        self._runs = runs
        self._settings = settings
        self._tails: dict[int, tuple[Tail, Callable[[], None]]] = {}
        self._ready: dict[int, None] = {}
        self._failed: deque[TailBatch] = deque()
        self._told = asyncio.Event()
        self._news = asyncio.Event()
        self._no_more_requests = False
        self._wrong: Exception | None = None

    async def serve(self, requests: AsyncIterator[TailEventsRequest], write: Write) -> None:
        """Serves the stream until the reader has asked for its last and got all of it.

        Raises:
            PenstockError: a request is wrong, or the store can't be read.
        """
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(requests))
                await self._send(write)
                listening.cancel()
        except ExceptionGroup as errors:
            ours = errors.subgroup(PenstockError)
            raise (errors if ours is None else _first(ours)) from None
        finally:
            for _, forget in self._tails.values():
                forget()

    async def _listen(self, requests: AsyncIterator[TailEventsRequest]) -> None:
        try:
            await self._take_in(requests)
            self._no_more_requests = True
        except Exception as error:
            # Raised here it would cut off a write, behind which grpc can't send the status: the reader would wait on.
            self._wrong = error
        self._news.set()

    async def _take_in(self, requests: AsyncIterator[TailEventsRequest]) -> None:
        async for request in requests:
            for opening in request.opens:
                while len(self._failed) >= _MOST_UNTOLD:
                    self._told.clear()
                    await self._told.wait()  # who doesn't read is not listened to
                await self._open(opening)
            for credit in request.credits:
                self._give(credit)
            for tail_id in request.closes:
                self._forget(tail_id)

    def _give(self, credit: TailCredit) -> None:
        if credit.credit_bytes < 0:
            raise InvalidArgument.of([("credits.credit_bytes", "must not be negative")])
        entry = self._tails.get(credit.tail_id)
        if entry is None:
            return  # closed before the reader heard of it
        tail, _ = entry
        if tail.credit + credit.credit_bytes > MAX_CREDIT:
            raise InvalidArgument.of([("credits.credit_bytes", f"gives tail {credit.tail_id} more than {MAX_CREDIT}")])
        tail.credit += credit.credit_bytes
        self._wake(credit.tail_id)

    async def _open(self, opening: TailOpen) -> None:
        tail_id = opening.tail_id
        if tail_id in self._tails:
            raise InvalidArgument.of([("opens.tail_id", f"{tail_id} is in use; give each tail a number of its own")])
        try:
            if len(self._tails) >= self._settings.max_tails:
                raise ResourceExhausted(f"one stream follows at most {self._settings.max_tails} runs; open another")
            violations = Violations()
            violations.id("opens.tenant", opening.tenant)
            violations.id("opens.run_id", opening.run_id)
            if not 0 <= opening.credit_bytes <= MAX_CREDIT:
                violations.add("opens.credit_bytes", f"must be 0 to {MAX_CREDIT}")
            if not INCLUDES.issuperset(opening.include):
                violations.add("opens.include", "asks for something that is not known here")
            violations.raise_any()
            tail = await open_tail(
                self._runs,
                opening.tenant,
                opening.run_id,
                generation=opening.generation,
                after=opening.after_sequence,
                include=opening.include,
                credit=opening.credit_bytes,
                tail_id=tail_id,
            )
        except PenstockError as error:
            self._fail(tail_id, error)
            return
        self._tails[tail_id] = (tail, tail.watch(partial(self._wake, tail_id)))
        self._wake(tail_id)

    def _wake(self, tail_id: int) -> None:
        self._ready[tail_id] = None
        self._news.set()

    def _fail(self, tail_id: int, error: PenstockError) -> None:
        self._forget(tail_id)
        self._failed.append(TailBatch(tail_id=tail_id, closed=True, error=to_status(error)))
        self._news.set()

    def _forget(self, tail_id: int) -> None:
        self._ready.pop(tail_id, None)
        if tail_id in self._tails:
            _, forget = self._tails.pop(tail_id)
            forget()

    async def _send(self, write: Write) -> None:
        while True:
            self._news.clear()
            if self._wrong is not None:
                raise self._wrong
            response = await self._gather()
            if response.batches:
                await write(response)
            elif self._no_more_requests and not self._tails and not self._failed:
                return
            elif not self._news.is_set() and not await self._news_within(self._settings.heartbeat):
                await write(TailEventsResponse())

    async def _news_within(self, seconds: float) -> bool:
        silent = False

        def break_silence() -> None:
            nonlocal silent
            silent = True
            self._news.set()

        # A timer alone: the stream comes by here for each token, and `asyncio.timeout` costs five times as much.
        timer = asyncio.get_running_loop().call_later(seconds, break_silence)
        try:
            await self._news.wait()
        finally:
            timer.cancel()
        return not silent

    async def _gather(self) -> TailEventsResponse:
        """Takes from each tail that has news; those for which there was no room are first the next time."""
        response = TailEventsResponse()
        room = self._settings.max_response_bytes
        while self._failed and room > 0:
            failed = self._failed.popleft()
            room -= failed.ByteSize()
            response.batches.append(failed)
            self._told.set()
        for tail_id in list(self._ready):
            if room <= 0:
                break
            self._ready.pop(tail_id, None)
            entry = self._tails.get(tail_id)
            if entry is None:
                continue
            # Made in its place: what is appended is copied.
            batch = response.batches.add()
            try:
                wanted = await entry[0].collect(room, batch)
            except (DataLoss, NotFound, OutOfRange) as error:
                del response.batches[-1]
                self._fail(tail_id, error)  # this run's alone; the others read on
                continue
            if wanted:
                room -= batch.ByteSize()
            else:
                del response.batches[-1]
            if entry[0].closed:
                self._forget(tail_id)
            elif entry[0].has_more:
                self._ready[tail_id] = None
        if self._failed or self._ready:
            self._news.set()
        return response


def _first(errors: ExceptionGroup[PenstockError]) -> PenstockError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
