"""`EventService`: topics."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from penstock.state.settings import StateSettings
from penstock.state.topic_store import OWN_GROUP_PREFIX, Demand, Member, TopicStore
from penstock.state.topics.delivery import deliver
from penstock.state.topics.rules import check_acknowledge, check_publish, check_subscribe
from penstock.v1 import event_pb2 as pb
from penstock.v1.event_pb2_grpc import EventServiceServicer
from penstock.wire.ids import random_id

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]


class EventsService(EventServiceServicer):
    """Serves topics from a store."""

    def __init__(self, store: TopicStore, settings: StateSettings) -> None:
        self._store = store
        self._settings = settings

    async def Publish(self, request: pb.PublishRequest, context: Context) -> pb.PublishResponse:
        check_publish(request)
        return pb.PublishResponse(positions=await self._store.publish(request.tenant, request.topic, request.events))

    async def Subscribe(self, request: pb.SubscribeRequest, context: Context) -> AsyncGenerator[pb.SubscribeResponse]:
        most, visibility = check_subscribe(request)
        stream = random_id("stream")
        group = request.group or f"{OWN_GROUP_PREFIX}{stream}"
        deliveries = deliver(
            self._store,
            Member(request.tenant, request.topic, group, stream),
            Demand(most, self._settings.max_response_bytes, int(visibility * 1_000_000)),
            from_position=request.from_position if request.HasField("from_position") else None,
            heartbeat=self._settings.heartbeat,
        )
        async with aclosing(deliveries):
            async for response in deliveries:
                yield response

    async def Acknowledge(self, request: pb.AcknowledgeRequest, context: Context) -> pb.AcknowledgeResponse:
        check_acknowledge(request)
        return pb.AcknowledgeResponse(unknown_positions=await self._store.acknowledge(request))
