"""The standard health service over our readiness, which also tells the checks behind its answer."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from penstock.gateway.status import STATUS_KEY
from penstock.server.identity import ProcessIdentity
from penstock.server.readiness import Readiness
from penstock.v1 import gateway_pb2
from penstock.wire.errors import NotFound

MAX_DETAIL: Final = 200

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN: Final = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

Context = grpc.aio.ServicerContext[Any, Any]


class HealthService(health_pb2_grpc.HealthServicer):
    """Answers for the layers behind one server, each by the names of its services, and for all by the empty name."""

    def __init__(self, layers: Sequence[Readiness], identity: ProcessIdentity) -> None:
        self._layers = tuple(layers)
        self._identity = identity
        self._by_service = {service: (layer,) for layer in layers for service in layer.services} | {"": self._layers}

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:
        asked = self._by_service.get(request.service)
        if asked is None:
            raise NotFound.named("service", request.service, sorted(self._by_service))
        context.set_trailing_metadata(((STATUS_KEY, layer_status(asked, self._identity).SerializeToString()),))
        return health_pb2.HealthCheckResponse(status=_status(asked))

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse, None]:
        asked = self._by_service.get(request.service, ())
        # With an unknown name there is nothing to hear of; the stream stays open, as the protocol asks.
        pulse = self._layers[0].pulse
        told = None
        while True:
            status = _status(asked)
            if status != told:
                told = status
                yield health_pb2.HealthCheckResponse(status=status)
                continue  # it may have changed while that was being written
            await pulse.wait()


def layer_status(layers: Sequence[Readiness], identity: ProcessIdentity) -> gateway_pb2.LayerStatus:
    """Describes one layer, or several as one, without what only the asker knows (address and latency)."""
    status = gateway_pb2.LayerStatus(
        layer=",".join(layer.layer for layer in layers),
        serving=not any(layer.reason for layer in layers),
        reason="; ".join(layer.reason for layer in layers if layer.reason)[: 2 * MAX_DETAIL],
        version=identity.version,
        instance_id=identity.instance_id,
    )
    for layer in layers:
        for check in layer.checks:
            finding = layer.findings.get(check.name)
            status.checks.append(
                gateway_pb2.CheckStatus(
                    name=check.name,
                    passed=finding is not None and finding.passed,
                    detail="not checked yet" if finding is None else finding.detail[:MAX_DETAIL],
                    latency=_duration(0.0 if finding is None else finding.latency),
                    timeout=_duration(check.timeout),
                )
            )
    return status


def _status(layers: Sequence[Readiness]) -> int:
    if not layers:
        return _UNKNOWN
    return _NOT_SERVING if any(layer.reason for layer in layers) else _SERVING


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
