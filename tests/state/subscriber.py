"""A member of a consumer group, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from penstock.v1.event_pb2 import (
    AcknowledgeRequest,
    DeliveredEvent,
    FailedDelivery,
    PublishRequest,
    SubscribeRequest,
    SubscribeResponse,
    TopicEvent,
)

if TYPE_CHECKING:
    from penstock.v1.event_pb2_grpc import EventServiceAsyncStub

PATIENCE = 10.0


class Subscriber:
    """Reads one stream and answers for its group."""

    def __init__(self, events: EventServiceAsyncStub, request: SubscribeRequest, call: Any) -> None:
        self._events = events
        self._request = request
        self._call = call
        self.first = SubscribeResponse()
        self.skipped = 0

    async def start(self) -> None:
        """Waits until the group was joined."""
        async with asyncio.timeout(PATIENCE):
            self.first = await self._call.read()

    async def next(self) -> DeliveredEvent:
        """Returns the next event; the rest of a message must be empty."""
        (event,) = await self.some(1)
        return event

    async def some(self, count: int) -> list[DeliveredEvent]:
        """Returns so many events, of as many messages as it takes; the last of these must hold no more."""
        found = await self.at_least(count)
        assert len(found) == count
        return found

    async def at_least(self, count: int) -> list[DeliveredEvent]:
        """Returns so many events or some more, of as many messages as it takes."""
        found: list[DeliveredEvent] = []
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                message = await self._call.read()
                self.skipped += message.skipped_events
                found += message.events
        return found

    async def message(self) -> SubscribeResponse:
        """Returns the next message, whatever it holds."""
        async with asyncio.timeout(PATIENCE):
            message: SubscribeResponse = await self._call.read()
        return message

    async def acknowledge(self, *positions: int) -> list[int]:
        """Says that positions are done with; returns those that nobody waited for."""
        return await self._answer(AcknowledgeRequest(positions=positions))

    async def fail(self, position: int, reason: str) -> list[int]:
        """Says that a position failed."""
        return await self._answer(AcknowledgeRequest(failed=[FailedDelivery(position=position, reason=reason)]))

    async def _answer(self, request: AcknowledgeRequest) -> list[int]:
        request.tenant, request.topic, request.group = self._request.tenant, self._request.topic, self.first.group
        return list((await self._events.Acknowledge(request)).unknown_positions)


@asynccontextmanager
async def subscriber(events: EventServiceAsyncStub, **fields: Any) -> AsyncGenerator[Subscriber]:
    """Joins a group for the block: of topic `t` of tenant `a`, unless the fields say otherwise."""
    request = SubscribeRequest(**{"tenant": "a", "topic": "t", **fields})
    call = events.Subscribe(request)
    member = Subscriber(events, request, call)
    try:
        await member.start()
        yield member
    finally:
        call.cancel()


def event(name: str, **fields: Any) -> TopicEvent:
    """Makes an event."""
    return TopicEvent(**{"event_id": name, "type": "thing.happened", "payload_json": "{}", **fields})


async def publish(events: EventServiceAsyncStub, *names: str, topic: str = "t", tenant: str = "a") -> list[int]:
    """Publishes events with these ids; returns their positions."""
    request = PublishRequest(tenant=tenant, topic=topic, events=[event(name) for name in names])
    return list((await events.Publish(request)).positions)
