"""A tools layer with real tools, called through its stub and the server's own stack over an in-process channel."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penstock.interceptors.guard import Load
from penstock.interceptors.rules import LayerRules
from penstock.interceptors.stack import client_stack, server_stack
from penstock.tools.layer import open_tools
from penstock.tools.settings import ToolsSettings
from penstock.v1 import tool_runner_pb2_grpc
from penstock.wire.in_process import InProcessChannel, InProcessServer

if TYPE_CHECKING:
    from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceAsyncStub

    OpenStub = Callable[..., AbstractAsyncContextManager[ToolRunnerServiceAsyncStub]]

sys.path.insert(0, str(Path(__file__).parent / "samples"))


@asynccontextmanager
async def open_stub(*specs: str, stop_grace: float = 0.05, threads: int = 8) -> AsyncGenerator[object]:
    settings = ToolsSettings(specs, max_threads=threads, stop_grace=stop_grace)
    async with open_tools(settings, instance_id="tools-1") as layer:
        stack = server_stack({"penstock.v1.ToolRunnerService": Load(LayerRules("tools"))})
        server = InProcessServer("tools", interceptors=stack)
        tool_runner_pb2_grpc.add_ToolRunnerServiceServicer_to_server(layer.service, server)
        await server.start()
        channel = InProcessChannel(server, interceptors=client_stack())
        try:
            yield tool_runner_pb2_grpc.ToolRunnerServiceStub(channel)
        finally:
            await channel.close()
            await server.stop(None)


@pytest.fixture
def tools() -> OpenStub:
    """Opens a tools layer with the tools of the given specs, and gives a stub to call them with."""
    return open_stub  # type: ignore[return-value] # the typed stub exists for type checkers only
