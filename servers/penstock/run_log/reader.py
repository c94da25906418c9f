"""Reading run logs: one TailEvents stream of a process for all runs that it follows."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from penstock.run_log.tail import Tail, opening
from penstock.v1.run_log_pb2 import (
    TAIL_INCLUDE_EVENTS,
    TailCredit,
    TailEventsRequest,
    TailEventsResponse,
    TailInclude,
)
from penstock.wire.errors import Unavailable

if TYPE_CHECKING:
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

    TailCall = grpc.aio.StreamStreamCall[TailEventsRequest, TailEventsResponse]

logger = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 1.0


class LogReader:
    """Follows many runs through one stream, and takes the stream up again when it breaks, each run from its cursor.

    Used as an async context manager.
    """

    def __init__(self, stub: RunLogServiceAsyncStub) -> None:
        self._stub = stub
        self._tails: dict[int, Tail] = {}
        self._last_id = 0
        self._request = TailEventsRequest()
        self._wanted = asyncio.Event()
        self._connected = False
        self._group = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LogReader:
        await self._group.__aenter__()
        self._task = self._group.create_task(self._read_for_ever(), name="log-reader")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        # With the block's error, which is none of the group's own, the group would wrap it.
        await self._group.__aexit__(None, None, None)

    def open(
        self,
        tenant: str,
        run_id: str,
        *,
        generation: int = 0,
        after_sequence: int = 0,
        include: Sequence[TailInclude] = (TAIL_INCLUDE_EVENTS,),
        window_bytes: int = 256 * 1024,
        patience: float = 10.0,
    ) -> Tail:
        """Makes the tail of a run from a cursor on.

        `window_bytes` bounds what is received and not yet taken; `patience` is the time in seconds for which the state
        layer may be away before the tail fails with Unavailable.
        """
        return Tail(self, opening(tenant, run_id, generation, after_sequence, include), window_bytes, patience)

    def add(self, tail: Tail) -> None:
        """Begins to follow a run; called by the tail."""
        self._last_id += 1
        self._tails[self._last_id] = tail
        self._request.opens.append(tail.opening(self._last_id))
        self._wanted.set()

    def remove(self, tail: Tail) -> None:
        """Ceases to follow a run; called by the tail."""
        if self._tails.pop(tail.tail_id, None) is not None and not tail.over:
            self._request.closes.append(tail.tail_id)
            self._wanted.set()

    def grant(self, tail: Tail, credit_bytes: int) -> None:
        """Gives a run more credit; called by the tail."""
        self._request.credits.append(TailCredit(tail_id=tail.tail_id, credit_bytes=credit_bytes))
        self._wanted.set()

    async def _read_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        down_since = 0.0
        pause = 0.05
        while True:
            if not self._tails:
                await self._wanted.wait()
            self._connected = False
            try:
                await self._read_stream()
            except grpc.aio.AioRpcError as error:
                reason = error.code().name
            else:
                reason = "stream ended"
            now = loop.time()
            if self._connected or not down_since:
                down_since, pause = now, 0.05
                logger.info("lost the stream of run logs (%s); taking it up again", reason)
            self._give_up(now, down_since)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _read_stream(self) -> None:
        call = self._stub.TailEvents()
        try:
            self._begin_anew()
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._send(call), name="log-reader-requests")
                try:
                    while (response := await call.read()) is not grpc.aio.EOF:
                        assert isinstance(response, TailEventsResponse)  # the only other value is EOF
                        self._connected = True
                        self._hand_out(response)
                finally:
                    sender.cancel()
        except BaseExceptionGroup as group:
            # Not `except*`: before Python 3.11.4 it would put what is raised in it into a group again.
            broken, others = group.split(grpc.aio.AioRpcError)
            if broken is None or others is not None:
                raise
            raise _first(broken) from None
        finally:
            call.cancel()

    def _begin_anew(self) -> None:
        tails = [tail for tail in self._tails.values() if not tail.over]
        self._tails = {}
        self._request = TailEventsRequest()
        for tail in tails:
            self.add(tail)

    async def _send(self, call: TailCall) -> None:
        while True:
            await self._wanted.wait()
            # One message for all that this turn of the loop brings.
            await asyncio.sleep(0)
            self._wanted.clear()
            request, self._request = self._request, TailEventsRequest()
            try:
                await call.write(request)
            except asyncio.InvalidStateError:
                return  # the call has ended; reading it tells why

    def _hand_out(self, response: TailEventsResponse) -> None:
        for batch in response.batches:
            tail = self._tails.get(batch.tail_id)
            if tail is not None:
                tail.take(batch)

    def _give_up(self, now: float, down_since: float) -> None:
        for tail in self._tails.values():
            # How long the state layer was away before a tail was opened is no concern of that tail.
            if now - max(down_since, tail.opened_at) > tail.patience and not tail.over:
                tail.fail(
                    Unavailable("the state layer is not there, so the run's log can't be read", reason="STATE_AWAY")
                )


def _first(group: BaseExceptionGroup[grpc.aio.AioRpcError]) -> grpc.aio.AioRpcError:
    for error in group.exceptions:
        return _first(error) if isinstance(error, BaseExceptionGroup) else error
    raise AssertionError("an exception group is never empty")
