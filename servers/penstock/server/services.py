"""Which services each layer has, and how they are put on a server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

from penstock.v1 import (
    event_pb2_grpc,
    executor_pb2_grpc,
    gateway_pb2_grpc,
    limit_pb2_grpc,
    orchestrator_pb2_grpc,
    ownership_pb2_grpc,
    run_log_pb2_grpc,
    session_pb2_grpc,
    state_admin_pb2_grpc,
    state_pb2_grpc,
    tool_runner_pb2_grpc,
)


@dataclass(frozen=True, slots=True)
class Service:
    """Represents one service: its full name, the layer's attribute that serves it, and how it is registered."""

    name: str
    attribute: str
    register: Callable[[Any, grpc.aio.Server], None]


# A layer's first service stands for the layer where one name is asked for, as in its health.
SERVICES: Final[Mapping[str, Sequence[Service]]] = {
    "gateway": (
        Service("penstock.v1.GatewayService", "service", gateway_pb2_grpc.add_GatewayServiceServicer_to_server),
    ),
    "orchestrator": (
        Service(
            "penstock.v1.OrchestratorService",
            "service",
            orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server,
        ),
    ),
    "executor": (
        Service("penstock.v1.ExecutorService", "service", executor_pb2_grpc.add_ExecutorServiceServicer_to_server),
    ),
    "tools": (
        Service(
            "penstock.v1.ToolRunnerService", "service", tool_runner_pb2_grpc.add_ToolRunnerServiceServicer_to_server
        ),
    ),
    "state": (
        Service("penstock.v1.RunLogService", "run_log", run_log_pb2_grpc.add_RunLogServiceServicer_to_server),
        Service("penstock.v1.StateService", "values", state_pb2_grpc.add_StateServiceServicer_to_server),
        Service("penstock.v1.SessionService", "sessions", session_pb2_grpc.add_SessionServiceServicer_to_server),
        Service("penstock.v1.OwnershipService", "ownership", ownership_pb2_grpc.add_OwnershipServiceServicer_to_server),
        Service("penstock.v1.EventService", "events", event_pb2_grpc.add_EventServiceServicer_to_server),
        Service("penstock.v1.LimitService", "limits", limit_pb2_grpc.add_LimitServiceServicer_to_server),
    ),
}

# Served on the listener for administration alone, never where layers or strangers call.
ADMIN_SERVICES: Final = (
    Service("penstock.v1.StateAdminService", "admin", state_admin_pb2_grpc.add_StateAdminServiceServicer_to_server),
)


def service_names(layer: str) -> tuple[str, ...]:
    """Returns the full names of a layer's services."""
    return tuple(service.name for service in SERVICES[layer])


def add_services(layer: str, running: Any, server: grpc.aio.Server) -> None:
    """Puts all services of a running layer on a server."""
    for service in SERVICES[layer]:
        service.register(getattr(running, service.attribute), server)
