"""The reading of a run's log, as an async iterator."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import grpc

from penstock.client.asking import Asked
from penstock.client.cursor import Cursor
from penstock.client.failure import Failure
from penstock.client.reconnecting import Reconnecting
from penstock.v1.gateway_pb2 import AttachRunRequest, AttachRunResponse, StreamRunRequest, StreamRunResponse
from penstock.v1.run_pb2 import Run, RunState
from penstock.wire.errors import Cancelled, DataLoss, Internal, PenstockError, Unavailable

if TYPE_CHECKING:
    from penstock.client.doors import Doors
    from penstock.client.persistence import Persistence
    from penstock.v1.run_event_pb2 import RunEvent

    Call = grpc.aio.UnaryStreamCall[Any, Any]  # of either rpc's messages, which have the same form

Piece = StreamRunResponse | AttachRunResponse

TERMINAL: Final = frozenset({RunState.RUN_STATE_SUCCEEDED, RunState.RUN_STATE_FAILED, RunState.RUN_STATE_CANCELLED})


class RunStream:
    """Yields a run's events in order, each exactly once, until `run_finished`.

    Iterate over it as it is, or enter it first (`async with`) to have `run` before the first event and the call ended
    on the way out. Dropping it never cancels the run. A wait for the next event that is cancelled, by
    `asyncio.timeout` for one, ends the stream; `cursor` says where to attach again.

    A connection that is lost is made good: the stream attaches again where it was, at the same gateway or the next,
    for as long as the client's `patience` lasts.

    NEW ── first wait ──> READING ── connection lost ──> PAUSING ── pause over ──> READING
                           └────── last event, error, aclose, wait cancelled ──────> OVER

    Raises while iterating:
        PenstockError: the call failed, with `run_id` and `request_id` in its metadata. A stream that is lost for good
            raises Unavailable, and one that was ended from elsewhere Cancelled: it never just ends before its run does.
            One of which something that was seen was lost meanwhile raises DataLoss.
    """

    def __init__(
        self,
        doors: Doors,
        persistence: Persistence,
        request: StreamRunRequest | None = None,
        *,
        run_id: str = "",
        cursor: Cursor | None = None,
        on_reconnect: Callable[[Reconnecting], None] | None = None,
    ) -> None:
        self._call: Call | None = None
        self._doors = doors
        self._persistence = persistence
        self._request = request
        self._on_reconnect = on_reconnect
        self._door = doors.current
        self._asked = Asked.anew(self._door.address)
        self._call_began = 0.0
        self._answered = False
        self._waiting: deque[RunEvent] = deque()
        self._run_id = run_id
        self._run: Run | None = None
        self._cursor = cursor or Cursor()
        self._finished = False
        self._over = False
        self._closing = asyncio.Event()
        self._ended_by_reader = False

    @property
    def run(self) -> Run:
        """The run as it stood when the stream began, maybe without plan, input and output, which `get_run` has.

        Known once the stream was entered or has yielded.
        """
        if self._run is None:
            raise RuntimeError("the run is known once the stream was entered or has yielded an event")
        return self._run

    @property
    def begun(self) -> bool:
        """Whether the gateway has answered, so that the run is known to be there."""
        return self._run is not None

    @property
    def attached(self) -> bool:
        """Whether the gateway has answered the latest call, so that events are read as they come."""
        return self._answered and not self._over

    @property
    def run_id(self) -> str:
        """The run's id; empty while it isn't known yet."""
        return self._run_id

    @property
    def request_id(self) -> str:
        """The id under which servers log this stream's call, the latest where it attached again."""
        return self._asked.request_id

    @property
    def cursor(self) -> Cursor:
        """The place after the last event yielded."""
        return self._cursor

    def __aiter__(self) -> RunStream:
        return self

    async def __anext__(self) -> RunEvent:
        while not self._waiting:
            if self._ended_by_reader:
                raise self._ended()
            if self._over or not await self._receive():
                raise StopAsyncIteration
        event = self._waiting.popleft()
        expected = self._cursor.after_sequence + 1
        if event.sequence != expected:
            await self.aclose()
            text = f"event {event.sequence} came where {expected} was due"
            raise Internal(text, reason="SEQUENCE_BROKEN", metadata=self._facts())
        self._cursor = Cursor(self._cursor.generation, event.sequence)
        self._finished = event.HasField("run_finished")
        return event

    async def __aenter__(self) -> RunStream:
        try:
            while self._run is None and await self._receive():
                pass
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the call; the run goes on."""
        self._over = True
        self._waiting.clear()
        self._closing.set()
        if self._call is not None:
            self._call.cancel()

    def __del__(self) -> None:
        # A call that is dropped without a word would live on in the server until the channel closes.
        if self._call is not None:
            self._call.cancel()

    async def _receive(self) -> bool:
        """Takes in the next message, from as many calls as it needs; False when the stream has come to its end."""
        while True:
            call = self._call or self._open()
            try:
                received: Any = await call.read()
            except grpc.aio.AioRpcError as error:
                failure = self._asked.failed(error, self._facts(), begun=self._answered)
                if self._goes_over(failure.error):
                    continue
            except asyncio.CancelledError:
                self._over = True
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    self._ended_by_reader = True
                    raise
                # Nobody cancelled the reader: the call was ended, by `aclose` or with its client, while waited for.
                raise self._ended() from None
            else:
                if received is not grpc.aio.EOF:
                    await self._take(received)
                    return True
                if self._has_all():
                    self._over = True
                    return False
                failure = self._broken_off()
            if self._finished:
                self._over = True
                return False
            await self._lose(failure)

    def _open(self) -> Call:
        """Makes the first call, or the one that goes on after the last."""
        if self._door is not self._doors.current or self._call_began:
            self._door = self._doors.current
            self._asked = self._asked.again(self._door.address)
        self._call_began = time.monotonic()
        self._answered = False
        if self._request is not None and not self._run_id:
            self._call = self._door.stub.StreamRun(self._request, timeout=None, metadata=self._asked.metadata)
        else:
            cursor = AttachRunRequest(
                run_id=self._run_id, generation=self._cursor.generation, after_sequence=self._cursor.after_sequence
            )
            self._call = self._door.stub.AttachRun(cursor, timeout=None, metadata=self._asked.metadata)
        return self._call

    async def _take(self, piece: Piece) -> None:
        # The first message says no more than that the run is there, which is news only once; a gateway that dies
        # right after it, again and again, is no progress.
        if self._run is None or not piece.HasField("run"):
            self._persistence.went_well()
        self._answered = self._doors.reached = True
        if self._cursor.after_sequence and self._cursor.generation not in (0, piece.generation):
            await self.aclose()
            raise self._other_history(piece.generation)
        if piece.HasField("run"):
            self._run, self._run_id = self._run or piece.run, piece.run.run_id
        self._cursor = Cursor(piece.generation, self._cursor.after_sequence)
        self._waiting.extend(piece.events)

    async def _lose(self, failure: Failure) -> None:
        """Waits until it is time to attach again; raises when it is not worth it."""
        self._call, self._answered = None, False
        if self._over or self._doors.closed:
            self._over = True
            raise self._ended()
        try:
            again = self._persistence.failed(self._door, failure, self._call_began)
            if self._on_reconnect is not None:
                address = again.door.address
                self._on_reconnect(Reconnecting(failure.error, self._cursor, again.attempt, again.pause, address))
            await self._doors.pause(again.pause, self._closing)
        except asyncio.CancelledError:
            self._over = self._ended_by_reader = True
            raise
        except BaseException:
            self._over = True
            raise
        if self._over or self._doors.closed:
            self._over = True
            raise self._ended()

    def _has_all(self) -> bool:
        """Whether the run's last event was seen, also where that was before this stream began."""
        run = self._run
        ended_before = run is not None and run.state in TERMINAL and self._cursor.after_sequence >= run.last_sequence
        return self._finished or ended_before

    def _broken_off(self) -> Failure:
        text = "the stream broke off before its run came to an end"
        error = Unavailable(text, reason="STREAM_BROKEN", metadata=self._facts())
        cause = "it ended before its run did"
        return Failure(error, "the stream broke off at", cause, told=False, connected=True, repeatable=True)

    def _ended(self) -> PenstockError:
        text = "the stream was ended before its run; attach again from its cursor"
        return Cancelled(text, reason="STREAM_ENDED", metadata=self._facts())

    def _goes_over(self, error: PenstockError) -> bool:
        """Goes over to a newer generation of the run's history, if all that was seen is in that too."""
        seen = self._cursor
        if self._over or not isinstance(error, DataLoss):
            return False
        if error.generation <= seen.generation or error.last_common_sequence < seen.after_sequence:
            return False
        self._call = None
        self._cursor = Cursor(error.generation, seen.after_sequence)
        return True

    def _other_history(self, generation: int) -> DataLoss:
        # A server of ours says so itself, and which event is the last that both have.
        text = f"the history of run {self._run_id} is of generation {generation}, what was seen of another"
        lost = DataLoss(text, run_id=self._run_id, last_common_sequence=0, generation=generation)
        self._asked.named(lost, {})
        return lost

    def _facts(self) -> dict[str, str]:
        return {"run_id": self._run_id, "request_id": self._asked.request_id}
