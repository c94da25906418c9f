"""Asks another layer how it is, by the standard health service."""

from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from penstock.gateway.status import STATUS_KEY, LayerTarget
from penstock.server.readiness import TIMEOUT, Check
from penstock.v1.gateway_pb2 import LayerStatus
from penstock.wire.errors import Unavailable


def check_of(target: LayerTarget) -> Check:
    """Makes the check that a layer is serving; what it says itself about why not is the finding."""
    stub: Any = HealthStub(target.channel)  # its type information lacks its methods

    async def ask() -> str:
        call = stub.Check(HealthCheckRequest(service=target.service), timeout=TIMEOUT)
        answer = await call
        if answer.status == HealthCheckResponse.SERVING:
            return f"serving ({target.address})"
        for key, value in await call.trailing_metadata() or ():
            if key == STATUS_KEY and isinstance(value, bytes):
                raise Unavailable(f"not serving ({LayerStatus.FromString(value).reason})")
        raise Unavailable("not serving")

    return Check(target.layer, ask)
