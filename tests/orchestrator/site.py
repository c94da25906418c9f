"""An orchestrator and an executor over a real state layer, between which the wire can be broken."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from penstock.executor.layer import open_executor
from penstock.executor.settings import ExecutorSettings
from penstock.interceptors.guard import Load
from penstock.interceptors.rules import LayerRules
from penstock.interceptors.stack import client_stack, server_stack
from penstock.orchestrator.layer import OrchestratorLayer, open_orchestrator
from penstock.orchestrator.settings import OrchestratorSettings
from penstock.server.health_service import HealthService
from penstock.server.identity import ProcessIdentity
from penstock.server.readiness import Check, Pulse, Readiness
from penstock.tools.layer import open_tools
from penstock.tools.settings import ToolsSettings
from penstock.v1 import orchestrator_pb2_grpc
from penstock.v1.executor_pb2_grpc import add_ExecutorServiceServicer_to_server
from penstock.v1.orchestrator_pb2 import StartRunRequest, StartRunResponse
from penstock.v1.plan_pb2 import Plan
from penstock.v1.run_event_pb2 import RunEvent, RunFinished
from penstock.v1.run_pb2 import Content, RunSpec
from penstock.v1.tool_runner_pb2_grpc import add_ToolRunnerServiceServicer_to_server
from penstock.wire.around import Around
from penstock.wire.in_process import InProcessChannel, InProcessServer
from tests.run_log.faulty_state import TENANT, FaultyState, Wire, open_faulty_state

if TYPE_CHECKING:
    from penstock.v1.orchestrator_pb2_grpc import OrchestratorServiceAsyncStub

AGENTS = {name: f"tests.orchestrator.agents:{name}" for name in ("echo", "waits", "second_time_lucky")}
METADATA = (("x-penstock-tenant", TENANT), ("x-request-id", "req-1"))
INSTANCE = "orchestrator-1"


@dataclass
class Site:
    """Holds the orchestrator's stub, the state layer below it, and the wire to its executor."""

    stub: OrchestratorServiceAsyncStub
    layer: OrchestratorLayer
    state: FaultyState
    to_executor: Wire

    async def start(self, run_id: str, **spec: object) -> StartRunResponse:
        """Starts a run of an agent or a plan."""
        asked = RunSpec(input=[Content(text="task")], **spec)  # type: ignore[arg-type]  # the field names are the test's to choose
        return await self.stub.StartRun(StartRunRequest(run_id=run_id, spec=asked), timeout=10, metadata=METADATA)

    async def start_plan(self, run_id: str, plan: Plan, **spec: object) -> StartRunResponse:
        plan.sequential = True
        return await self.start(run_id, plan=plan, **spec)

    async def ended(self, run_id: str) -> tuple[RunFinished, list[RunEvent]]:
        """Waits for the end of a run; returns it with the whole log."""
        log = await self.state.events(run_id, follow=True)
        ends = [event for event in log if event.HasField("run_finished")]
        assert [log[-1]] == ends, log
        return log[-1].run_finished, log


def kinds(log: list[RunEvent]) -> list[str]:
    """Returns what kind each event of a log is."""
    return [event.WhichOneof("event") or "" for event in log]


async def _well() -> str:
    return "as ever"


async def _serve(stack: AsyncExitStack, layer: str, service: str, wire: Wire) -> InProcessServer:
    name = f"penstock.v1.{service}"
    interceptors = [*server_stack({name: Load(LayerRules(layer))}), Around(wire.faults)]
    server = InProcessServer(layer, interceptors=interceptors)
    readiness = Readiness(layer, (name,), (Check("self", _well),), Pulse())
    await readiness.check_all()
    health = HealthService([readiness], ProcessIdentity(f"{layer}-1", "1"))
    add_HealthServicer_to_server(health, server)  # type: ignore[no-untyped-call, unused-ignore]  # depends on which stubs are installed
    await server.start()
    stack.push_async_callback(server.stop, None)
    return server


@asynccontextmanager
async def open_site(state: FaultyState, settings: OrchestratorSettings | None = None) -> AsyncGenerator[Site]:
    """Opens an orchestrator and what it needs, over a state layer."""
    async with AsyncExitStack() as stack:
        to_executor = Wire()
        tools_server = await _serve(stack, "tools", "ToolRunnerService", Wire())
        executor_server = await _serve(stack, "executor", "ExecutorService", to_executor)
        tools = await stack.enter_async_context(InProcessChannel(tools_server, client_stack()))
        executor = await stack.enter_async_context(InProcessChannel(executor_server, client_stack()))
        tools_layer = await stack.enter_async_context(open_tools(ToolsSettings()))
        add_ToolRunnerServiceServicer_to_server(tools_layer.service, tools_server)
        executor_layer = await stack.enter_async_context(
            open_executor(
                ExecutorSettings(AGENTS, stop_grace=0.2), state=state.channel, tools=tools, instance_id="executor-1"
            )
        )
        add_ExecutorServiceServicer_to_server(executor_layer.service, executor_server)
        layer = await stack.enter_async_context(
            open_orchestrator(
                settings or OrchestratorSettings(),
                state=state.channel,
                executor=executor,
                tools=tools,
                instance_id=INSTANCE,
            )
        )
        server = await _serve(stack, "orchestrator", "OrchestratorService", Wire())
        orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server(layer.service, server)
        channel = await stack.enter_async_context(InProcessChannel(server))
        yield Site(orchestrator_pb2_grpc.OrchestratorServiceStub(channel), layer, state, to_executor)


@asynccontextmanager
async def open_all(path: Path, settings: OrchestratorSettings | None = None) -> AsyncGenerator[Site]:
    """Opens an orchestrator over a state layer of its own."""
    async with open_faulty_state(path) as state, open_site(state, settings) as site:
        yield site
