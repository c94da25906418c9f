"""Membership in a consumer group, as an async iterator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import grpc

from penstock.client.asking import Asked
from penstock.client.cursor import Cursor
from penstock.client.deliveries import Deliveries
from penstock.client.event import Event, Publish
from penstock.client.failure import Failure
from penstock.client.reconnecting import Reconnecting
from penstock.v1.event_pb2 import FailedDelivery
from penstock.v1.gateway_pb2 import SubscribeEventsRequest, SubscribeEventsResponse
from penstock.wire.errors import Cancelled, PenstockError, Unavailable

if TYPE_CHECKING:
    from penstock.client.doors import Doors
    from penstock.client.persistence import Persistence

    Call = grpc.aio.StreamStreamCall[Any, Any]  # of the rpc's two messages

DEFAULT_UNACKNOWLEDGED: Final = 64
_LONGEST_REASON: Final = 1024
# Answers that a quick loop gives are sent together; those of a slow one at once.
_HOLD_BACK: Final = 0.05
_FAREWELL: Final = 1.0


class Subscription:
    """Yields a group's events to one member, each until it is acknowledged; it never ends by itself.

    Enter it (`async with`) to have joined the group before the first event, and left it on the way out. The event that
    the loop is at is acknowledged when the loop asks for the next, or leaves the block without an error; after an error
    it is delivered again. An event that was answered by its own methods stays as answered.

    A connection that is lost is made good: the subscription joins again, answers what it had no chance to, and is not
    given what the program still holds. A wait that is cancelled, by `asyncio.timeout` for one, loses nothing either.

    NEW ── first wait ──> READING ── connection lost, wait cancelled ──> PAUSING ── next wait ──> READING
                           └──────────────── error, aclose ────────────────> OVER

    Raises while iterating:
        PenstockError: the call failed for good; Cancelled when the subscription was ended from elsewhere.
    """

    def __init__(
        self,
        doors: Doors,
        persistence: Persistence,
        joining: SubscribeEventsRequest,
        publish: Publish,
        *,
        auto_acknowledge: bool = True,
        on_reconnect: Callable[[Reconnecting], None] | None = None,
    ) -> None:
        self._call: Call | None = None
        self._doors = doors
        self._persistence = persistence
        self._joining = joining
        self._publish = publish
        self._auto_acknowledge = auto_acknowledge
        self._on_reconnect = on_reconnect
        self._door = doors.current
        self._asked = Asked.anew(self._door.address)
        self._call_began = 0.0
        self._joined = False
        self._deliveries = Deliveries(joining.max_unacknowledged or DEFAULT_UNACKNOWLEDGED, own_group=not joining.group)
        self._at: Event | None = None
        self._answers = SubscribeEventsRequest()
        self._answers_since = 0.0
        self._writing = asyncio.Lock()
        self._reading = False
        self._over = False
        self._closing = asyncio.Event()
        self.skipped: int = 0
        """How many events the topic dropped, by age or number, before this group had got them."""

    @property
    def joined(self) -> bool:
        """Whether the group was joined over the present connection."""
        return self._joined and not self._over

    @property
    def request_id(self) -> str:
        """The id under which servers log the present call."""
        return self._asked.request_id

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        if self._auto_acknowledge and self._at is not None:
            self._note(self._at.position, None)
        self._at = None
        while True:
            if self._over:
                raise StopAsyncIteration
            if not self._deliveries.any_waits or time.monotonic() - self._answers_since >= _HOLD_BACK:
                await self._send_answers()
            # Only now: a wait that is cancelled before has been given nothing.
            if (delivered := self._deliveries.hand_out()) is not None:
                self._at = Event(delivered, self._answer, self._publish)
                return self._at
            await self._receive()

    async def __aenter__(self) -> Subscription:
        try:
            while not self._joined:
                await self._receive()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error the event is given back with the stream: failed, it would come here again before that ends.
        if self._auto_acknowledge and self._at is not None and error is None:
            self._note(self._at.position, None)
        await self.aclose()

    async def aclose(self) -> None:
        """Leaves the group, once the last answers are taken; what was not answered is delivered to others."""
        if self._over:
            return
        self._over = True
        self._closing.set()
        try:
            if self._call is not None and self._joined and not self._reading and not self._doors.closed:
                async with asyncio.timeout(_FAREWELL):
                    await self._send_answers()
                    await self._call.done_writing()
                    while await self._call.read() is not grpc.aio.EOF:
                        pass
        except (TimeoutError, grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # then it is over all the same, and what could not be answered is delivered again
        finally:
            if self._call is not None:
                self._call.cancel()

    def __del__(self) -> None:
        # A call that is dropped without a word would live on in the server until the channel closes.
        if self._call is not None:
            self._call.cancel()

    async def _answer(self, position: int, failure: str | None) -> None:
        """Answers for one event at once."""
        self._note(position, failure)
        await self._send_answers()

    def _note(self, position: int, failure: str | None) -> None:
        if not self._deliveries.is_held(position):
            return
        self._begin_answers()
        if failure is None:
            self._deliveries.settle(position)
            self._answers.acknowledged_positions.append(position)
        else:
            self._deliveries.fail(position)
            self._answers.failed.append(FailedDelivery(position=position, reason=failure[:_LONGEST_REASON]))

    def _begin_answers(self) -> None:
        if not (self._answers.acknowledged_positions or self._answers.failed):
            self._answers_since = time.monotonic()

    async def _send_answers(self) -> None:
        """Sends the answers that were held back; when that fails, the next connection begins with them."""
        async with self._writing:
            if not (self._answers.acknowledged_positions or self._answers.failed):
                return
            # Over a connection that has not joined yet they would come before what is said of earlier ones.
            if self._call is None or not self._joined:
                return
            answers, self._answers = self._answers, SubscribeEventsRequest()
            try:
                await self._call.write(answers)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                pass  # whoever reads hears why
            except asyncio.CancelledError:
                self._drop()  # gRPC has ended the call with it
                raise

    async def _receive(self) -> None:
        """Takes in the next message, from as many calls as it needs."""
        while True:
            try:
                self._reading = True
                call = self._call or await self._join()
                received: Any = await call.read()
            except grpc.aio.AioRpcError as error:
                failure = self._asked.failed(error, self._facts(), begun=self._joined)
            except asyncio.CancelledError:
                self._drop()
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                if self._over or self._doors.closed:
                    self._over = True
                    raise self._ended() from None
                continue  # an answer whose sending was cancelled has taken the call with it
            else:
                if received is not grpc.aio.EOF:
                    self._take(received)
                    return
                failure = self._broken_off()
            finally:
                self._reading = False
            await self._lose(failure)

    async def _join(self) -> Call:
        """Makes the first call, or the one that goes on after the last."""
        if self._door is not self._doors.current or self._call_began:
            self._door = self._doors.current
            self._asked = self._asked.again(self._door.address)
        joining = SubscribeEventsRequest()
        joining.CopyFrom(self._joining)
        if self._call_began:
            if joining.group:
                joining.acknowledged_positions.extend(self._deliveries.recently_done)
            elif resume_at := self._deliveries.resume_at:
                joining.from_position = resume_at
        self._call_began = time.monotonic()
        self._answers.Clear()  # what was done with is said above, and what failed is given back with the stream
        self._call = self._door.stub.SubscribeEvents(timeout=None, metadata=self._asked.metadata)
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # reading tells more of why
            await self._call.write(joining)
        return self._call

    def _take(self, message: SubscribeEventsResponse) -> None:
        if not self._joined:
            asked_for = self._deliveries.resume_at
            self._joined = self._doors.reached = True
            self._persistence.went_well()
            self._deliveries.joined(message.next_position)
            if asked_for and not self._joining.group:
                self.skipped += max(0, message.next_position - asked_for)
        self.skipped += message.skipped_events
        if again := self._deliveries.receive(message.events):
            self._begin_answers()
            self._answers.acknowledged_positions.extend(again)

    async def _lose(self, failure: Failure) -> None:
        """Waits until it is time to join again; raises when it is not worth it."""
        self._drop()
        if self._over or self._doors.closed:
            self._over = True
            raise self._ended()
        try:
            again = self._persistence.failed(self._door, failure, self._call_began)
        except BaseException:
            self._over = True
            raise
        if self._on_reconnect is not None:
            cursor = Cursor(0, max(0, self._deliveries.resume_at - 1))
            self._on_reconnect(Reconnecting(failure.error, cursor, again.attempt, again.pause, again.door.address))
        await self._doors.pause(again.pause, self._closing)
        if self._over or self._doors.closed:
            self._over = True
            raise self._ended()

    def _drop(self) -> None:
        if self._call is not None:
            self._call.cancel()
        self._call, self._joined = None, False

    def _broken_off(self) -> Failure:
        error = Unavailable("the subscription broke off", reason="STREAM_BROKEN", metadata=self._facts())
        cause = "it ended though it was not asked to"
        return Failure(error, "the subscription broke off at", cause, told=False, connected=True, repeatable=True)

    def _ended(self) -> PenstockError:
        text = "the subscription was ended; make another one"
        return Cancelled(text, reason="STREAM_ENDED", metadata=self._facts())

    def _facts(self) -> dict[str, str]:
        return {"topic": self._joining.topic, "request_id": self._asked.request_id}
