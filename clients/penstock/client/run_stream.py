"""One reading of a run's log, as an async iterator."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import grpc

from penstock.v1.run_pb2 import Run, RunState
from penstock.wire.errors import Cancelled, Internal, Unavailable

if TYPE_CHECKING:
    from penstock.client.asking import Asked
    from penstock.v1.gateway_pb2 import AttachRunResponse, StreamRunResponse
    from penstock.v1.run_event_pb2 import RunEvent

    Piece = StreamRunResponse | AttachRunResponse
    Call = grpc.aio.UnaryStreamCall[Any, Any]  # of either rpc's messages, which have the same form

TERMINAL: Final = frozenset({RunState.RUN_STATE_SUCCEEDED, RunState.RUN_STATE_FAILED, RunState.RUN_STATE_CANCELLED})


@dataclass(frozen=True, slots=True)
class Cursor:
    """Represents a place in a run's log: attaching from it yields the event after `after_sequence`, and so on."""

    generation: int = 0
    after_sequence: int = 0


class RunStream:
    """Yields a run's events in order, each exactly once, until `run_finished`.

    Iterate over it as it is, or enter it first (`async with`) to have `run` before the first event and the call ended
    on the way out. Dropping it never cancels the run. A wait for the next event that is cancelled, by
    `asyncio.timeout` for one, ends the stream; `cursor` says where to attach again.

    Raises while iterating:
        PenstockError: the call failed, with `run_id` and `request_id` in its metadata. A stream that breaks off raises
            Unavailable, and one that was ended from elsewhere Cancelled: it never just ends before its run does.
    """

    def __init__(
        self, start: Callable[[], Call], asked: Asked, *, run_id: str = "", cursor: Cursor | None = None
    ) -> None:
        self._start = start
        self._asked = asked
        self._call: Call | None = None
        self._waiting: deque[RunEvent] = deque()
        self._run_id = run_id
        self._run: Run | None = None
        self._cursor = cursor or Cursor()
        self._finished = False
        self._over = False
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
    def run_id(self) -> str:
        """The run's id; empty while it isn't known yet."""
        return self._run_id

    @property
    def request_id(self) -> str:
        """The id under which servers log this stream's call."""
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
        if self._call is not None:
            self._call.cancel()

    def __del__(self) -> None:
        # A call that is dropped without a word would live on in the server until the channel closes.
        if self._call is not None:
            self._call.cancel()

    async def _receive(self) -> bool:
        """Takes in the next message; False when the stream has come to its end."""
        if self._call is None:
            self._call = self._start()
        try:
            received: Any = await self._call.read()
        except grpc.aio.AioRpcError as error:
            self._over = True
            if self._finished:
                return False
            raise self._asked.failed(error, self._facts(), begun=self.begun) from None
        except asyncio.CancelledError:
            self._over = True
            if (task := asyncio.current_task()) is not None and task.cancelling():
                self._ended_by_reader = True
                raise
            # Nobody cancelled the reader: the call was ended, by `aclose` or with its client, while it was waited for.
            raise self._ended() from None
        if received is grpc.aio.EOF:
            self._over = True
            self._check_end()
            return False
        piece: Piece = received
        if piece.HasField("run"):
            self._run, self._run_id = piece.run, piece.run.run_id
        self._cursor = Cursor(piece.generation, self._cursor.after_sequence)
        self._waiting.extend(piece.events)
        return True

    def _ended(self) -> Cancelled:
        text = "the stream was ended before its run; attach again from its cursor"
        return Cancelled(text, reason="STREAM_ENDED", metadata=self._facts())

    def _check_end(self) -> None:
        ended_before = self._run is not None and self._run.state in TERMINAL
        read_all = self._run is not None and self._cursor.after_sequence >= self._run.last_sequence
        if not (self._finished or (ended_before and read_all)):
            text = "the stream broke off before its run came to an end"
            raise Unavailable(text, reason="STREAM_BROKEN", metadata=self._facts())

    def _facts(self) -> dict[str, str]:
        return {"run_id": self._run_id, "request_id": self._asked.request_id}
