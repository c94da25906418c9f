"""Redis is away in operation: said at once and clearly, recovered soon after, and nothing taken that isn't kept."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from penstock.v1.run_log_pb2 import AppendOutcome
from penstock.v1.state_pb2 import GetValueRequest, SetValueRequest
from penstock.wire.status import from_rpc_error
from tests.force.following import read_whole
from tests.force.load import Load
from tests.force.polling import until
from tests.force.replica import Door, open_replicas
from tests.force.writes import WRITES
from tests.state import entries as e
from tests.stores.proxy import proxy_to
from tests.stores.server import ValkeyServer, serving

READY = HealthCheckResponse.SERVING
ANSWER_SECONDS = 10.0


async def answers(door: Door) -> bool | None:
    """Returns True once a state process takes a write and shows a run."""
    try:
        await door.values.SetValue(SetValueRequest(tenant=e.TENANT, key="k", data=b"1"), timeout=2)
        await read_whole(door, "run-1")
    except grpc.aio.AioRpcError as error:
        if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise
        return None
    return True


async def is_told_to_come_back(call: Any) -> None:
    """Checks that a call is refused within its time as UNAVAILABLE, with the reason and when to come back."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async with asyncio.timeout(ANSWER_SECONDS):
            await call
    told = from_rpc_error(refused.value)
    assert (refused.value.code(), told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"), told
    assert told.retry_after is not None


@pytest.mark.parametrize("absence", ["killed", "refusing", "stalled"])
async def test_callers_are_told_and_all_is_well_soon_after(absence: str, tmp_path: Path) -> None:
    """Each kind of call gets UNAVAILABLE with RetryInfo; readiness follows; within 5 s of the return all works."""
    server = ValkeyServer(tmp_path / "valkey", aof="always")
    with serving(server):
        async with (
            proxy_to(server.address) as proxy,
            open_replicas([server.url_through(proxy.address)], tmp_path) as (replica,),
        ):
            door = replica.door
            await WRITES["AppendEvents"].prepare(door)
            kept = await e.append_events(door, "run-1", e.token("kept"), writer="w", number=1)
            async with grpc.aio.insecure_channel(door.address) as channel:
                health: Any = HealthStub(channel)
                watch = health.Watch(HealthCheckRequest(service="penstock.v1.RunLogService"))
                await until_health(watch, ready=True)
                match absence:
                    case "killed":
                        server.kill()
                    case "refusing":
                        proxy.refuse()
                    case _:
                        server.stall()
                for name in WRITES:
                    await is_told_to_come_back(WRITES[name].call(door))
                await is_told_to_come_back(door.values.SetValue(SetValueRequest(tenant=e.TENANT, key="k", data=b"1")))
                await is_told_to_come_back(door.values.GetValue(GetValueRequest(tenant=e.TENANT, key="k")))
                await until_health(watch, ready=False)
                match absence:
                    case "killed":
                        await asyncio.to_thread(server.start)
                    case "refusing":
                        proxy.accept()
                    case _:
                        server.resume()
                back = time.monotonic()
                await until(lambda: answers(door))
                assert time.monotonic() - back < 9  # 5, and what a busy machine adds
                await until_health(watch, ready=True)
                watch.cancel()
            again = await e.append_events(door, "run-1", e.token("kept"), writer="w", number=1)
            assert again.outcome == AppendOutcome.APPEND_OUTCOME_REPEATED
            assert (again.first_sequence, again.generation) == (kept.first_sequence, kept.generation)


async def until_health(watch: Any, *, ready: bool) -> None:
    """Reads a health watch until the layer is ready, or is not."""
    async with asyncio.timeout(15):
        while ((await watch.read()).status == READY) != ready:
            pass


async def test_nothing_is_acknowledged_that_is_not_stored(tmp_path: Path) -> None:
    """Connections to Redis break again and again under load, on the way there and on the way back."""
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        async with proxy_to(server.address) as proxy:
            urls = [server.url_through(proxy.address), server.url]
            async with open_replicas(urls, tmp_path) as replicas:
                load = Load([replica.door for replica in replicas], random.Random(3))
                stop = asyncio.Event()
                async with asyncio.timeout(90), asyncio.TaskGroup() as group:
                    group.create_task(load.run(stop))
                    for _ in range(10):
                        await load.progress(30)
                        proxy.cut()
                        await load.progress(10)
                        async with asyncio.timeout(10):
                            await proxy.lose_answer().cut()
                    await load.progress(30)
                    stop.set()
                await load.verify()
                print(load)
                assert len({generation for history in load.histories for generation in history.generations()}) == 1
