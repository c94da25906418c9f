"""An executor between real state and tools layers, each behind the server's own stack on in-process channels."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from penstock.executor.layer import open_executor
from penstock.executor.settings import ExecutorSettings
from penstock.interceptors.guard import Load
from penstock.interceptors.rules import LayerRules
from penstock.interceptors.stack import client_stack, server_stack
from penstock.state.layer import open_state
from penstock.state.settings import StateSettings
from penstock.tools.layer import open_tools
from penstock.tools.settings import ToolsSettings
from penstock.v1 import (
    executor_pb2_grpc,
    ownership_pb2,
    ownership_pb2_grpc,
    run_log_pb2_grpc,
    session_pb2_grpc,
    state_pb2_grpc,
    tool_runner_pb2_grpc,
)
from penstock.wire.in_process import InProcessChannel, InProcessServer

sys.path.insert(0, str(Path(__file__).parent / "samples"))

import sample_agents  # found on the path just extended
import sample_effects  # found on the path just extended
from mesh import OWNER, Mesh  # found on the path just extended

AGENTS = {
    name: f"sample_agents:{name}"
    for name in (
        "words", "everything", "looks_around", "long", "too_long", "raises", "exits", "interrupts", "cancels_itself",
        "yields_wrong", "yields_surrogate", "outputs_nan", "outputs_deep", "explains", "waits", "stubborn",
        "streams_for_ever", "floods", "calls", "calls_at_once", "sends_slowly", "calls_with_socket", "keeps_state",
    )
}  # fmt: skip


async def serve(stack: AsyncExitStack, layer: str, add: dict[str, Callable[[Any], None]]) -> tuple[Any, Any]:
    """Serves one layer in this process; gives its server and a channel to it."""
    load = Load(LayerRules(layer))
    server = InProcessServer(layer, interceptors=server_stack({f"penstock.v1.{name}": load for name in add}))
    for register in add.values():
        register(server)
    await server.start()
    stack.push_async_callback(server.stop, None)
    channel = InProcessChannel(server, interceptors=client_stack())
    stack.push_async_callback(channel.close)
    return server, channel


@pytest.fixture(autouse=True)
def _fresh_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_agents, "scene", sample_agents.Scene())
    monkeypatch.setattr(sample_effects, "counts", {})
    monkeypatch.setattr(sample_effects, "keys", [])
    monkeypatch.setattr(sample_effects, "started", asyncio.Event())
    monkeypatch.setattr(sample_effects, "go_on", asyncio.Event())


@pytest.fixture
def log_patience() -> float:
    """Seconds that an attempt waits for its log; long, for a machine may be busy with other things."""
    return 10.0


@pytest.fixture
async def mesh(tmp_path: Path, log_patience: float) -> AsyncGenerator[Mesh]:
    """A running executor with its neighbours below."""
    async with AsyncExitStack() as stack:
        state = await stack.enter_async_context(open_state(StateSettings(url=f"sqlite:///{tmp_path}/state.db")))
        add: dict[str, Callable[[Any], None]] = {
            "StateService": partial(state_pb2_grpc.add_StateServiceServicer_to_server, state.values),
            "SessionService": partial(session_pb2_grpc.add_SessionServiceServicer_to_server, state.sessions),
            "RunLogService": partial(run_log_pb2_grpc.add_RunLogServiceServicer_to_server, state.run_log),
            "OwnershipService": partial(ownership_pb2_grpc.add_OwnershipServiceServicer_to_server, state.ownership),
        }
        state_server, state_channel = await serve(stack, "state", add)
        tools = await stack.enter_async_context(open_tools(ToolsSettings(("sample_effects:TOOLS",))))
        add = {
            "ToolRunnerService": partial(tool_runner_pb2_grpc.add_ToolRunnerServiceServicer_to_server, tools.service)
        }
        tools_server, tools_channel = await serve(stack, "tools", add)
        executor = await stack.enter_async_context(
            open_executor(
                ExecutorSettings(AGENTS, max_history=4, stop_grace=0.05, log_patience=log_patience),
                state=state_channel,
                tools=tools_channel,
                instance_id="executor-1",
            )
        )
        add = {"ExecutorService": partial(executor_pb2_grpc.add_ExecutorServiceServicer_to_server, executor.service)}
        _, executor_channel = await serve(stack, "executor", add)
        lease = ownership_pb2.RenewLeaseRequest(instance_id=OWNER, ttl=Duration(seconds=60))
        await ownership_pb2_grpc.OwnershipServiceStub(state_channel).RenewLease(lease)
        yield Mesh(
            executor=executor_pb2_grpc.ExecutorServiceStub(executor_channel),
            run_log=run_log_pb2_grpc.RunLogServiceStub(state_channel),
            sessions=session_pb2_grpc.SessionServiceStub(state_channel),
            stop_tools=partial(tools_server.stop, None),
            stop_state=partial(state_server.stop, None),
        )
