"""A mesh around a gateway, inside the servers' own stacks: a real state layer, and which others a test asks for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from penstock.executor.layer import open_executor
from penstock.executor.settings import ExecutorSettings
from penstock.gateway.layer import open_gateway
from penstock.gateway.settings import GatewaySettings
from penstock.gateway.status import Identity, LayerTarget
from penstock.interceptors.context import Door
from penstock.interceptors.guard import Load
from penstock.interceptors.rules import LayerRules
from penstock.interceptors.stack import client_stack, server_stack
from penstock.orchestrator.layer import open_orchestrator
from penstock.orchestrator.settings import OrchestratorSettings
from penstock.server.health_service import HealthService
from penstock.server.identity import ProcessIdentity
from penstock.server.readiness import Check, Pulse, Readiness
from penstock.state.layer import open_state
from penstock.state.settings import StateSettings
from penstock.tools.layer import open_tools
from penstock.tools.settings import ToolsSettings
from penstock.v1.event_pb2_grpc import EventServiceStub, add_EventServiceServicer_to_server
from penstock.v1.executor_pb2_grpc import add_ExecutorServiceServicer_to_server
from penstock.v1.gateway_pb2_grpc import GatewayServiceStub, add_GatewayServiceServicer_to_server
from penstock.v1.orchestrator_pb2_grpc import add_OrchestratorServiceServicer_to_server
from penstock.v1.ownership_pb2_grpc import OwnershipServiceStub, add_OwnershipServiceServicer_to_server
from penstock.v1.run_log_pb2_grpc import RunLogServiceStub, add_RunLogServiceServicer_to_server
from penstock.v1.session_pb2_grpc import SessionServiceStub, add_SessionServiceServicer_to_server
from penstock.v1.state_pb2_grpc import add_StateServiceServicer_to_server
from penstock.v1.tool_runner_pb2_grpc import add_ToolRunnerServiceServicer_to_server
from penstock.wire.in_process import InProcessChannel, InProcessServer
from tests.gateway.recording import TENANT, Recorder

if TYPE_CHECKING:
    from penstock.v1.event_pb2_grpc import EventServiceAsyncStub
    from penstock.v1.gateway_pb2_grpc import GatewayServiceAsyncStub
    from penstock.v1.session_pb2_grpc import SessionServiceAsyncStub

# Times short enough for a test to see them pass.
QUICK = GatewaySettings(heartbeat_seconds=0.05, state_patience=0.2, status_timeout=5, answer_margin=0.3)
IDENTITY = Identity("penstock", "test", "1.2.3", ("reflection",))
AGENTS = {name: f"tests.gateway.agents:{name}" for name in ("shout", "broken", "endless")}
STATE_SERVICES = ("StateService", "SessionService", "RunLogService", "OwnershipService", "EventService")
SERVICE = {
    "state": "RunLogService",
    "tools": "ToolRunnerService",
    "executor": "ExecutorService",
    "orchestrator": "OrchestratorService",
}

Register = Callable[[InProcessServer], None]


@dataclass(slots=True)
class House:
    """Holds the gateway's stub, the ways around it into the state layer, and what the layers run on."""

    gateway: GatewayServiceAsyncStub
    recorder: Recorder
    sessions: SessionServiceAsyncStub
    events: EventServiceAsyncStub
    servers: dict[str, InProcessServer] = field(default_factory=dict)
    health: dict[str, Readiness] = field(default_factory=dict)


@dataclass(slots=True)
class Site:
    """Builds a house layer by layer, and takes it down in reverse."""

    stack: AsyncExitStack
    servers: dict[str, InProcessServer] = field(default_factory=dict)
    health: dict[str, Readiness] = field(default_factory=dict)

    async def serve(
        self, layer: str, services: Iterable[str], register: Register, check: Check, door: Door | None = None
    ) -> None:
        """Serves a layer's services and its health, inside the stack that every server has."""
        names = tuple(f"penstock.v1.{service}" for service in services)
        loads = dict.fromkeys(names, Load(LayerRules(layer)))
        server = self.servers[layer] = InProcessServer(layer, interceptors=server_stack(loads, door=door))
        readiness = self.health[layer] = Readiness(layer, names, (check,), Pulse())
        await readiness.check_all()
        identity = ProcessIdentity(f"{layer}-1", "1.2.3")
        add_HealthServicer_to_server(HealthService([readiness], identity), server)  # type: ignore[no-untyped-call, unused-ignore]  # depends on which stubs are installed
        register(server)
        await server.start()
        self.stack.push_async_callback(server.stop, None)

    async def channel(self, layer: str) -> InProcessChannel:
        """Opens a channel to a layer; one that is not served answers like a dead process, with UNAVAILABLE."""
        server = self.servers.get(layer, InProcessServer(layer))
        interceptors = () if layer == "gateway" else client_stack()
        return await self.stack.enter_async_context(InProcessChannel(server, interceptors))

    async def state(self, path: Path) -> None:
        settings = StateSettings(url=f"sqlite:///{path}/state.db")
        layer = await self.stack.enter_async_context(open_state(settings))

        def register(server: InProcessServer) -> None:
            add_StateServiceServicer_to_server(layer.values, server)
            add_SessionServiceServicer_to_server(layer.sessions, server)
            add_RunLogServiceServicer_to_server(layer.run_log, server)
            add_OwnershipServiceServicer_to_server(layer.ownership, server)
            add_EventServiceServicer_to_server(layer.events, server)

        await self.serve("state", STATE_SERVICES, register, Check("store", layer.check))

    async def inner(self, layer: str) -> None:
        opened: Any
        add: Callable[[Any, InProcessServer], None]
        if layer == "tools":
            settings = ToolsSettings(("tests.gateway.agents:count_words",))
            opened, add = open_tools(settings, instance_id="tools-1"), add_ToolRunnerServiceServicer_to_server
        elif layer == "executor":
            channels = {name: await self.channel(name) for name in ("state", "tools")}
            opened = open_executor(ExecutorSettings(AGENTS, stop_grace=0.2), **channels, instance_id="executor-1")
            add = add_ExecutorServiceServicer_to_server
        else:
            channels = {name: await self.channel(name) for name in ("state", "executor", "tools")}
            opened = open_orchestrator(OrchestratorSettings(), **channels, instance_id="orchestrator-1")
            add = add_OrchestratorServiceServicer_to_server
        built = await self.stack.enter_async_context(opened)
        await self.serve(layer, (SERVICE[layer],), lambda server: add(built.service, server), Check("self", _well))


async def _well() -> str:
    return "as ever"


@asynccontextmanager
async def open_house(
    path: Path, *, layers: Collection[str] = (), tenant: str = TENANT, settings: GatewaySettings = QUICK
) -> AsyncGenerator[House]:
    """Opens a state layer on a fresh file, the layers asked for, and a gateway whose callers are of one tenant."""
    async with AsyncExitStack() as stack:
        site = Site(stack)
        await site.state(path)
        for layer in ("tools", "executor", "orchestrator"):
            if layer in layers:
                await site.inner(layer)
        channels = {layer: await site.channel(layer) for layer in SERVICE}
        targets = [
            LayerTarget(layer, "in-process", channels[layer], f"penstock.v1.{service}")
            for layer, service in SERVICE.items()
        ]
        gateway = await stack.enter_async_context(
            open_gateway(settings, **channels, identity=IDENTITY, targets=targets, instance_id="gateway-1")
        )
        await site.serve(
            "gateway",
            ("GatewayService",),
            lambda server: add_GatewayServiceServicer_to_server(gateway.service, server),
            Check("self", _well),
            Door(tenant),
        )
        state = channels["state"]
        yield House(
            gateway=GatewayServiceStub(await site.channel("gateway")),
            recorder=Recorder(RunLogServiceStub(state), OwnershipServiceStub(state)),
            sessions=SessionServiceStub(state),
            events=EventServiceStub(state),
            servers=site.servers,
            health=site.health,
        )
