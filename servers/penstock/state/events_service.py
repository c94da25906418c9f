"""`EventService`: topics, which this version does not have yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from penstock.v1 import event_pb2 as pb
from penstock.v1.event_pb2_grpc import EventServiceServicer
from penstock.wire.errors import NOT_BUILT, Unimplemented

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]


class EventsService(EventServiceServicer):
    """Answers that topics are designed, and not built yet."""

    async def Publish(self, request: pb.PublishRequest, context: Context) -> NoReturn:
        raise _later()

    async def Subscribe(self, request: pb.SubscribeRequest, context: Context) -> NoReturn:  # type: ignore[override] # a coroutine may answer a stream too
        raise _later()

    async def Acknowledge(self, request: pb.AcknowledgeRequest, context: Context) -> NoReturn:
        raise _later()


def _later() -> Unimplemented:
    return Unimplemented("this version has no topics; they come with a later one", reason=NOT_BUILT)
