"""How the layers are, as this gateway sees them."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from penstock.v1.gateway_pb2 import GetStatusResponse, LayerStatus
from penstock.wire.rules.findings import shorten

_LOGGER: Final = logging.getLogger(__name__)

# Trailing metadata of a health Check: a serialized penstock.v1.LayerStatus.
STATUS_KEY: Final = "x-penstock-status-bin"

# The order in which a call passes them.
ORDER: Final = ("gateway", "orchestrator", "executor", "tools", "state")


@dataclass(frozen=True, slots=True)
class Identity:
    """Represents what the answering gateway says of itself."""

    service_name: str
    environment: str
    version: str
    feature_flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerTarget:
    """Represents a layer to ask: its name, where it is (`in-process` or a target), and the service asked for."""

    layer: str
    address: str
    channel: grpc.aio.Channel
    service: str


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """Asks every layer how it is; `timeout` is in seconds, for each."""

    identity: Identity
    targets: Sequence[LayerTarget]
    instance_id: str
    timeout: float

    async def ask(self) -> GetStatusResponse:
        """Returns what the layers answer, all asked at once; a layer that doesn't is shown as not serving."""
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask(target)) for target in sorted(self.targets, key=_place)]
        return GetStatusResponse(
            service_name=self.identity.service_name,
            environment=self.identity.environment,
            version=self.identity.version,
            instance_id=self.instance_id,
            layers=[task.result() for task in asked],
            feature_flags=self.identity.feature_flags,
        )

    async def _ask(self, target: LayerTarget) -> LayerStatus:
        begin = time.perf_counter_ns()
        stub: Any = HealthStub(target.channel)  # its published types leave the rpcs out
        try:
            call = stub.Check(HealthCheckRequest(service=target.service), timeout=self.timeout)
            answer = await call
            trailing = await call.trailing_metadata()
        except grpc.aio.AioRpcError as error:
            return LayerStatus(layer=target.layer, address=target.address, reason=_reason(error, self.timeout))
        except Exception as error:  # one layer's oddity must not hide the others; its text is for the log alone
            _LOGGER.warning("could not ask the %s layer for its status", target.layer, exc_info=error)
            reason = f"{type(error).__name__}; the gateway's log says more"
            return LayerStatus(layer=target.layer, address=target.address, reason=reason)
        status = _told(trailing)
        status.layer, status.address = target.layer, target.address
        status.serving = answer.status == HealthCheckResponse.SERVING
        if not status.serving and not status.reason:
            status.reason = f"it answers {HealthCheckResponse.ServingStatus.Name(answer.status)}"
        status.latency.FromNanoseconds(time.perf_counter_ns() - begin)
        return status


def _told(trailing: grpc.aio.Metadata | None) -> LayerStatus:
    for key, value in trailing or ():
        if key == STATUS_KEY and isinstance(value, bytes):
            return LayerStatus.FromString(value)
    return LayerStatus()


def _reason(error: grpc.aio.AioRpcError, timeout: float) -> str:
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return f"no answer within {timeout:g} s"
        case grpc.StatusCode.UNAVAILABLE:
            _LOGGER.debug("a layer can't be reached: %s", error.details())
            return "can't be reached"
        case grpc.StatusCode.NOT_FOUND:
            return "it is there, but doesn't host this layer"
        case code:
            return f"{code.name}: {shorten(error.details() or 'no details', 300)}"


def _place(target: LayerTarget) -> int:
    return ORDER.index(target.layer) if target.layer in ORDER else len(ORDER)
