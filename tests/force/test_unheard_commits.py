"""A commit whose answer the state process never got is heard of all the same, though nobody repeats the call."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from penstock.v1.run_log_pb2 import ReadEventsRequest
from tests.force.replica import Door, open_replicas
from tests.force.stores import open_place
from tests.state import entries as e
from tests.stores.proxy import proxy_to

MARK = "mark-77aa01fe"


@pytest.mark.parametrize("at_writer", [True, False], ids=["at the writer's process", "at another"])
async def test_readers_hear_of_a_commit_whose_answer_from_redis_was_lost(at_writer: bool, tmp_path: Path) -> None:
    """The process that wrote it can't tell; whoever follows the run has another look, and sees it soon."""
    with open_place("valkey", tmp_path) as place:
        assert place.server is not None
        async with proxy_to(place.server.address) as proxy:
            urls = [place.server.url_through(proxy.address), place.url]
            async with open_replicas(urls, tmp_path) as (near, other), asyncio.TaskGroup() as group:
                await e.lease(other.door)
                await e.record(other.door, e.record_entry("run-1"))
                follower = group.create_task(_wait_for_mark((near if at_writer else other).door))
                await e.append_events(near.door, "run-1", e.token("seen"), writer="w", number=1)
                loss = proxy.lose_answer(lambda piece: MARK.encode() in piece)
                cutting = group.create_task(loss.cut())
                with pytest.raises(grpc.aio.AioRpcError) as unclear:
                    await e.append_events(near.door, "run-1", e.token(MARK), writer="w", number=2)
                assert unclear.value.code() is grpc.StatusCode.UNAVAILABLE
                await cutting
                await follower


async def _wait_for_mark(door: Door) -> None:
    call = door.log.ReadEvents(ReadEventsRequest(tenant=e.TENANT, run_id="run-1", follow=True))
    async with asyncio.timeout(20):
        async for response in call:
            if any(event.token.text == MARK for event in response.events):
                call.cancel()
                return
