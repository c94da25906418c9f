"""`LimitService`: shared counters, which this version does not have yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from penstock.v1 import limit_pb2 as pb
from penstock.v1.limit_pb2_grpc import LimitServiceServicer
from penstock.wire.errors import NOT_BUILT, Unimplemented

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]


class LimitsService(LimitServiceServicer):
    """Answers that shared counters are designed, and not built yet."""

    async def Take(self, request: pb.TakeRequest, context: Context) -> NoReturn:
        raise _later()

    async def Reserve(self, request: pb.ReserveRequest, context: Context) -> NoReturn:
        raise _later()

    async def Settle(self, request: pb.SettleRequest, context: Context) -> NoReturn:
        raise _later()

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> NoReturn:
        raise _later()


def _later() -> Unimplemented:
    return Unimplemented("this version has no shared counters; they come with a later one", reason=NOT_BUILT)
