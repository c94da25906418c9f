"""The examples, run by a real executor with their tools behind a real tools layer."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from penstock.executor.layer import open_executor
from penstock.executor.settings import ExecutorSettings
from penstock.interceptors.guard import Load
from penstock.interceptors.rules import LayerRules
from penstock.interceptors.stack import client_stack, server_stack
from penstock.tools.layer import open_tools
from penstock.tools.settings import ToolsSettings
from penstock.v1 import executor_pb2_grpc, tool_runner_pb2_grpc
from penstock.v1.executor_pb2 import AgentWork, StreamExecuteRequest
from penstock.v1.run_event_pb2 import RunEvent
from penstock.wire.in_process import InProcessChannel, InProcessServer

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

Play = Callable[[str, str], Awaitable[list[RunEvent]]]


async def start(stack: AsyncExitStack, layer: str, service: str) -> tuple[InProcessServer, InProcessChannel]:
    """Starts a server for a layer; gives it and a channel to it."""
    server = InProcessServer(layer, server_stack({f"penstock.v1.{service}": Load(LayerRules(layer))}))
    await server.start()
    stack.push_async_callback(server.stop, None)
    channel = InProcessChannel(server, client_stack())
    stack.push_async_callback(channel.close)
    return server, channel


@pytest.fixture
async def play() -> AsyncGenerator[Play]:
    """Runs an example by name on a task, off the record, and gives its events."""
    async with AsyncExitStack() as stack:
        tools = await stack.enter_async_context(open_tools(ToolsSettings(("text_tools:TOOLS",))))
        tools_server, tools_channel = await start(stack, "tools", "ToolRunnerService")
        tool_runner_pb2_grpc.add_ToolRunnerServiceServicer_to_server(tools.service, tools_server)
        # Off the record and without a session, nothing is asked of the state layer.
        _, state_channel = await start(stack, "state", "StateService")
        settings = ExecutorSettings({"summarise": "summarise:summarise", "echo": "echo:echo"})
        executor = await stack.enter_async_context(
            open_executor(settings, state=state_channel, tools=tools_channel, instance_id="executor-1")
        )
        server, channel = await start(stack, "executor", "ExecutorService")
        executor_pb2_grpc.add_ExecutorServiceServicer_to_server(executor.service, server)
        stub: Any = executor_pb2_grpc.ExecutorServiceStub(channel)

        async def stream(agent: str, task: str) -> list[RunEvent]:
            request = StreamExecuteRequest(agent=AgentWork(agent=agent, task=task))
            metadata = (("x-penstock-tenant", "acme"),)
            responses = stub.StreamExecute(request, timeout=30, metadata=metadata)
            return [event async for response in responses for event in response.events]

        yield stream
