"""What a broken connection to the tools layer says about the tool: by TCP, as between processes."""

import asyncio
import socket

import grpc
import pytest

from penstock.executor.tool_failure import interrupted
from penstock.v1 import run_event_pb2 as events
from penstock.v1 import tool_runner_pb2_grpc
from penstock.v1.tool_runner_pb2 import CallToolRequest
from penstock.wire.channel import open_channel

SERVICE = "penstock.v1.ToolRunnerService"


class Stuck(tool_runner_pb2_grpc.ToolRunnerServiceServicer):
    """A tools layer whose tool does not answer."""

    def __init__(self):
        self.started = asyncio.Event()

    async def CallTool(self, request, context):  # noqa: N802 # rpc methods carry their proto names
        self.started.set()
        await asyncio.Event().wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("target", ["127.0.0.1:{port}", "unix:/nowhere/tools.sock", "dns:///tools.invalid:{port}"])
@pytest.mark.parametrize("plain", [True, False])
async def test_a_call_that_found_no_server_was_not_made(target, plain):
    """Whichever way the channel balances and resolves, grpc's text says that nothing was sent."""
    target = target.format(port=free_port())
    channel = grpc.aio.insecure_channel(target) if plain else open_channel(target, service=SERVICE)
    async with channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await tool_runner_pb2_grpc.ToolRunnerServiceStub(channel).CallTool(CallToolRequest(tool="send"), timeout=5)
    result = interrupted("send", caught.value, repeatable=False)
    assert result.outcome == events.TOOL_OUTCOME_NOT_CALLED, caught.value.details()


@pytest.mark.parametrize(
    ("repeatable", "outcome"), [(False, events.TOOL_OUTCOME_UNKNOWN), (True, events.TOOL_OUTCOME_FAILED)]
)
async def test_a_call_whose_server_died_may_have_been_made(repeatable, outcome):
    """The tool was running when the connection broke."""
    server, stuck = grpc.aio.server(), Stuck()
    tool_runner_pb2_grpc.add_ToolRunnerServiceServicer_to_server(stuck, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(5):
        stub = tool_runner_pb2_grpc.ToolRunnerServiceStub(channel)
        ongoing = stub.CallTool(CallToolRequest(tool="send"))
        await stuck.started.wait()
        await server.stop(None)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ongoing
    assert interrupted("send", caught.value, repeatable=repeatable).outcome == outcome


async def test_a_call_that_ran_out_of_time_timed_out():
    """Whatever the effect, the agent learns that time was the reason."""
    server, stuck = grpc.aio.server(), Stuck()
    tool_runner_pb2_grpc.add_ToolRunnerServiceServicer_to_server(stuck, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = tool_runner_pb2_grpc.ToolRunnerServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.CallTool(CallToolRequest(tool="send"), timeout=0.1)
    await server.stop(None)
    assert interrupted("send", caught.value, repeatable=False).outcome == events.TOOL_OUTCOME_TIMED_OUT
