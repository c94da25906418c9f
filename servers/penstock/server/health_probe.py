"""Asks another layer how it is, by the standard health service."""

import logging
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from penstock.gateway.status import LayerTarget
from penstock.server.readiness import TIMEOUT, Check
from penstock.wire.errors import Unavailable

_LOGGER: Final = logging.getLogger(__name__)


def check_of(target: LayerTarget) -> Check:
    """Makes the check that a layer is serving."""
    stub: Any = HealthStub(target.channel)  # its type information lacks its methods

    async def ask() -> str:
        call = stub.Check(HealthCheckRequest(service=target.service), timeout=TIMEOUT)
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            _LOGGER.debug("%s at %s: %s", target.layer, target.address, error.details())
            raise Unavailable(f"can't be reached at {target.address}") from error
        if answer.status == HealthCheckResponse.SERVING:
            return f"serving ({target.address})"
        # Why not, it says itself: repeating that here would say one thing once for each layer above it.
        raise Unavailable("not ready")

    return Check(target.layer, ask)
