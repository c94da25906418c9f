"""A cancelled run costs no more tokens: the model server's own record shows the closed socket."""

import asyncio

import grpc.aio
import pytest

from penstock.client import Client, RunState
from penstock.v1 import executor_pb2, executor_pb2_grpc
from tests.models.model_mesh import ModelMesh
from tests.models.model_process import ModelProcess


@pytest.mark.parametrize("behaviour", ["hangs", "hangs_midway"])
async def test_cancelling_a_run_closes_the_socket_to_the_model(
    client: Client, model_server: ModelProcess, behaviour: str
) -> None:
    """Cancelled before the first byte or in the middle of an answer, the model server is hung up on at once."""
    before = len(await model_server.seen(behaviour))
    async with asyncio.timeout(30):
        run = await client.create_run(behaviour, agent="model")
        asked = await model_server.wait_seen(behaviour, before + 1)
        assert not asked["closed"]
        await client.cancel_run(run.run_id)
        await model_server.wait_closed(asked["number"])
        ended = [event async for event in client.attach_run(run.run_id)][-1]
    assert ended.run_finished.state == RunState.RUN_STATE_CANCELLED


async def test_a_run_that_is_cancelled_while_a_tool_works_asks_the_model_nothing_more(
    client: Client, model_server: ModelProcess
) -> None:
    """Cancelled between two requests, the run ends at once, and the second request is never made."""
    before = len(await model_server.seen("uses"))
    async with asyncio.timeout(30):
        run = await client.create_run('uses counts_and_hangs {"word": "cancelled"}', agent="model")
        async for event in client.attach_run(run.run_id):
            if event.HasField("tool_claimed"):
                await client.cancel_run(run.run_id)
    assert event.run_finished.state == RunState.RUN_STATE_CANCELLED
    assert len(await model_server.seen("uses")) == before + 1


async def test_who_leaves_an_unrecorded_stream_hangs_up_on_the_model(
    split_mesh: ModelMesh, model_server: ModelProcess
) -> None:
    """A dropped StreamExecute is the end of its agent, whose request nobody pays for any longer."""
    before = len(await model_server.seen("hangs_midway"))
    request = executor_pb2.StreamExecuteRequest(agent=executor_pb2.AgentWork(agent="model", task="hangs_midway"))
    async with asyncio.timeout(30), grpc.aio.insecure_channel(split_mesh.daemons["executor"].listen) as channel:
        call = executor_pb2_grpc.ExecutorServiceStub(channel).StreamExecute(
            request, metadata=[("x-penstock-tenant", "default")]
        )
        async for message in call:
            assert message.events[0].token.text == "so far"
            call.cancel()
            break
        asked = (await model_server.seen("hangs_midway"))[before]
        await model_server.wait_closed(asked["number"])


async def test_the_connection_serves_again_after_a_cancelled_run(client: Client, model_server: ModelProcess) -> None:
    """Many runs cancelled at once leave nothing behind that the next run would meet."""
    before = len(await model_server.seen("hangs_midway"))
    async with asyncio.timeout(30):
        runs = [await client.create_run("hangs_midway", agent="model") for _ in range(8)]
        await model_server.wait_seen("hangs_midway", before + len(runs))
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(client.cancel_run(run.run_id))
        for asked in (await model_server.seen("hangs_midway"))[before:]:
            await model_server.wait_closed(asked["number"])
        assert (await client.execute_run("normal", agent="model")).output[0].text == "Hello from the model"
