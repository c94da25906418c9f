"""A cancelled run costs no more tokens: the model server's own record shows the closed socket."""

import asyncio

import pytest

from penstock.client import Client, RunState
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
