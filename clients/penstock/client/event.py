"""An event of a topic, as a subscriber holds it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from penstock.client.new_event import new_event
from penstock.wire.errors import FailedPrecondition, NotFound
from penstock.wire.ids import digest

if TYPE_CHECKING:
    from penstock.v1.event_pb2 import DeliveredEvent, TopicEvent

Publish = Callable[[str, "TopicEvent"], Awaitable[int]]
Answer = Callable[[int, str | None], Awaitable[None]]


class Event:
    """Represents something that happened, delivered at least once to each group.

    It is delivered again until `acknowledge` says that it is done with; the subscription says so by itself when the
    loop asks for the next one.
    """

    def __init__(self, delivered: DeliveredEvent, answer: Answer, publish: Publish) -> None:
        self.delivered: DeliveredEvent = delivered
        """The event in the contract's form."""
        self._answer = answer
        self._publish = publish

    def __repr__(self) -> str:
        return f"<Event {self.id!r} of type {self.type!r} at {self.position}, delivery {self.delivery}>"

    @property
    def id(self) -> str:
        """Names the event within its topic: the same in each delivery."""
        return self.delivered.event.event_id

    @property
    def type(self) -> str:
        """What kind of thing happened."""
        return self.delivered.event.type

    @property
    def payload(self) -> Any:
        """What happened, read from JSON."""
        return json.loads(self.delivered.event.payload_json)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The publisher's own notes."""
        return self.delivered.event.metadata

    @property
    def time(self) -> datetime:
        """When the store took the event."""
        return self.delivered.event.time.ToDatetime(UTC)

    @property
    def position(self) -> int:
        """Place in the topic, from 1."""
        return self.delivered.position

    @property
    def delivery(self) -> int:
        """Which delivery to the group it is, from 1; after the fifth an event is buried."""
        return self.delivered.delivery

    @property
    def dead_letter_reason(self) -> str:
        """Why the event is a dead letter; empty on ordinary topics."""
        return self.delivered.dead_letter_reason

    @property
    def wants_reply(self) -> bool:
        """Whether somebody waits for a reply."""
        return bool(self.delivered.event.reply_topic)

    @property
    def expired(self) -> bool:
        """Whether nobody waits for the reply any more, by this machine's clock."""
        event = self.delivered.event
        return event.HasField("deadline_time") and event.deadline_time.ToDatetime(UTC) <= datetime.now(UTC)

    async def acknowledge(self) -> None:
        """Says that the event is done with. An event that was answered before stays as it was."""
        await self._answer(self.position, None)

    async def fail(self, reason: str = "") -> None:
        """Has the event delivered again at once, to any member of the group; `reason` is for the dead letters."""
        await self._answer(self.position, reason)

    async def reply(self, payload: Any, *, type: str = "reply", metadata: Mapping[str, str] | None = None) -> bool:
        """Answers a request; False: nobody waits for it any more. A repeat is the same reply.

            async with client.subscribe("prices", group="pricing") as requests:
                async for request in requests:
                    await request.reply({"price": price_of(request.payload["article"])})

        Raises FailedPrecondition when the event is no request.
        """
        request = self.delivered.event
        if not request.reply_topic:
            raise FailedPrecondition(f"event {self.id} is no request: it names no topic for replies")
        # One name for each request's reply: a request that is delivered again is answered once.
        name = f"reply-{digest(request.event_id, request.correlation_id).hex()[:32]}"
        made = new_event(payload, type=type, event_id=name, metadata=metadata)
        made.correlation_id = request.correlation_id
        try:
            await self._publish(request.reply_topic, made)
        except NotFound:
            return False
        return True
