"""Leaving without cutting work short, in a process that drives no runs itself."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from penstock.server.assemble import open_mesh
from penstock.server.drain import drain
from penstock.v1 import executor_pb2, executor_pb2_grpc
from penstock.wire.errors import Draining
from penstock.wire.status import from_rpc_error

from .conftest import Configure, Connect

TENANT = [("x-penstock-tenant", "t")]


def held(pipe: Path) -> executor_pb2.StreamExecuteRequest:
    """Makes a request for an agent that ends when somebody writes into the pipe."""
    return executor_pb2.StreamExecuteRequest(agent=executor_pb2.AgentWork(agent="held", task=str(pipe)))


async def until_begun(stream: Any) -> None:
    """Reads until the agent's first token."""
    async for response in stream:
        if any(event.HasField("token") for event in response.events):
            return


async def test_a_leaving_executor_finishes_its_streams_and_takes_no_new_ones(
    configure: Configure, connect: Connect, pipe: Path
) -> None:
    """Drain waits for the agent that runs, and another one gets UNAVAILABLE (DRAINING) meanwhile."""
    draining = asyncio.Event()
    async with asyncio.timeout(25), open_mesh(configure(layers="state")) as state:
        config = configure(
            layers="executor,tools", connect=[f"state={state.address}"], agents=["held=agents_for_server:held"]
        )
        async with open_mesh(config) as mesh:
            executor = executor_pb2_grpc.ExecutorServiceStub(connect(mesh.address))
            stream = executor.StreamExecute(held(pipe), metadata=TENANT)
            await until_begun(stream)
            leaving = asyncio.ensure_future(drain(mesh, 10.0, lambda _: draining.set()))
            await draining.wait()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await until_begun(executor.StreamExecute(held(pipe), metadata=TENANT))
            assert isinstance(from_rpc_error(caught.value), Draining)
            assert not leaving.done()
            await asyncio.to_thread(pipe.write_text, "ended")
            tokens = [event.token.text async for response in stream for event in response.events]
            assert "ended" in "".join(tokens)
            assert await leaving
