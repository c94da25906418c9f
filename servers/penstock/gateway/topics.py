"""Topics at the door: what callers publish, and the streams of those who subscribe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from penstock.gateway.caller import current_tenant
from penstock.gateway.neighbours import Neighbours
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.subscription import Subscription, Write
from penstock.v1.event_pb2 import AcknowledgeRequest, PublishRequest, SubscribeRequest
from penstock.v1.gateway_pb2 import PublishEventRequest, PublishEventResponse, SubscribeEventsRequest
from penstock.wire.errors import InvalidArgument, PermissionDenied
from penstock.wire.ids import random_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MESH_PREFIX: Final = "penstock."
"""Begins the names of topics to which only the mesh publishes."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Publishes and subscribes for the caller's tenant; what is right in a request, the state layer says."""

    settings: GatewaySettings
    neighbours: Neighbours

    async def publish(self, request: PublishEventRequest) -> PublishEventResponse:
        """Publishes events, and names those that have no name.

        Raises:
            PenstockError: InvalidArgument for what can't be published; PermissionDenied for a topic of the mesh's own;
                NotFound for a reply address whose subscriber has gone.
        """
        if request.topic.startswith(MESH_PREFIX):
            raise PermissionDenied(
                f"topics whose names begin with {MESH_PREFIX!r} are the mesh's own; subscribe to them, and publish to "
                "others",
                reason="RESERVED_TOPIC",
                metadata={"topic": request.topic[:128]},
            )
        for event in request.events:
            event.event_id = event.event_id or random_id("event")
        answer = await self.neighbours.events.Publish(
            PublishRequest(tenant=current_tenant(), topic=request.topic, events=request.events),
            timeout=self.settings.read_timeout,
        )
        return PublishEventResponse(positions=answer.positions)

    async def subscribe(self, requests: AsyncIterator[SubscribeEventsRequest], write: Write) -> None:
        """Joins a group and serves the member until it sends no more; raises PenstockError as the contract says."""
        tenant = current_tenant()
        first = await anext(requests, None)
        if first is None:
            raise InvalidArgument.of([("topic", "is missing; the first message says what to subscribe to")])
        answers = AcknowledgeRequest(
            tenant=tenant,
            topic=first.topic,
            group=first.group,
            positions=first.acknowledged_positions,
            failed=first.failed,
        )
        if answers.group and (answers.positions or answers.failed):
            # Before the group gives them out again, to this member for one, who says here that it is done with them.
            await self.neighbours.events.Acknowledge(answers, timeout=self.settings.read_timeout)
        joining = SubscribeRequest(
            tenant=tenant,
            topic=first.topic,
            group=first.group,
            max_unacknowledged=first.max_unacknowledged,
        )
        if first.HasField("from_position"):
            joining.from_position = first.from_position
        if first.HasField("visibility_timeout"):
            joining.visibility_timeout.CopyFrom(first.visibility_timeout)
        await Subscription(self.neighbours.events, self.settings.read_timeout, joining).serve(requests, write)
