"""One member's stream at the door: deliveries out, answers in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final

import grpc.aio

from penstock.v1.event_pb2 import AcknowledgeRequest, SubscribeRequest
from penstock.v1.gateway_pb2 import SubscribeEventsRequest, SubscribeEventsResponse
from penstock.wire.errors import PenstockError

if TYPE_CHECKING:
    from penstock.v1.event_pb2_grpc import EventServiceAsyncStub

Write = Callable[[SubscribeEventsResponse], Awaitable[None]]

# As many answers as one call to the state layer may have.
_MOST_ANSWERS: Final = 1000


class Subscription:
    """Passes a group's events on to a member, and the member's answers to the group.

    Answers that come while a call with earlier ones is under way go together into the next.
    """

    def __init__(self, events: EventServiceAsyncStub, timeout: float, joining: SubscribeRequest) -> None:
        self._events = events
        self._timeout = timeout
        self._joining = joining
        self._group = ""
        self._answers = AcknowledgeRequest()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._no_more_answers = False

    async def serve(self, requests: AsyncIterator[SubscribeEventsRequest], write: Write) -> None:
        """Serves until the member sends no more and all it has sent is taken; raises as the state layer's calls do."""
        try:
            async with asyncio.TaskGroup() as group:
                delivering = group.create_task(self._deliver(write))
                listening = group.create_task(self._listen(requests))
                await self._answer()
                delivering.cancel()
                listening.cancel()
        except ExceptionGroup as errors:
            raise _first(errors) from None

    async def _deliver(self, write: Write) -> None:
        call = self._events.Subscribe(self._joining)
        try:
            async for response in call:
                if response.group:
                    self._group = response.group
                    self._news.set()
                await write(
                    SubscribeEventsResponse(
                        events=response.events,
                        next_position=response.next_position,
                        skipped_events=response.skipped_events,
                    )
                )
        finally:
            call.cancel()

    async def _listen(self, requests: AsyncIterator[SubscribeEventsRequest]) -> None:
        async for request in requests:
            for position in request.acknowledged_positions:
                await self._take_room()
                self._answers.positions.append(position)
            for failed in request.failed:
                await self._take_room()
                self._answers.failed.append(failed)
        self._no_more_answers = True
        self._news.set()

    async def _take_room(self) -> None:
        self._news.set()
        if len(self._answers.positions) + len(self._answers.failed) >= _MOST_ANSWERS:
            self._room.clear()
            await self._room.wait()

    async def _answer(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            # Before the group is joined nothing can be answered, however early it was said.
            if self._group and (self._answers.positions or self._answers.failed):
                answers, self._answers = self._answers, AcknowledgeRequest()
                self._room.set()
                answers.tenant, answers.topic, answers.group = self._joining.tenant, self._joining.topic, self._group
                await self._events.Acknowledge(answers, timeout=self._timeout)
                self._news.set()
            elif self._no_more_answers:
                return


def _first(errors: ExceptionGroup) -> Exception:
    # Where several failed, the state layer's word is the cause and the rest its consequence.
    ours = errors.subgroup((PenstockError, grpc.aio.AioRpcError))
    error = (ours or errors).exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
