"""Redis, or a state process over it, dies in full flight, and nothing that anyone was told is lost."""

import asyncio
import random
from pathlib import Path
from typing import Literal

import grpc
import grpc.aio
import pytest

from tests.force.following import read_whole
from tests.force.killing import killed_under_load
from tests.force.load import Load
from tests.force.polling import until
from tests.force.replica import Door, open_replicas
from tests.state import entries as e
from tests.stores.server import ValkeyServer, serving


@pytest.mark.parametrize("aof", ["everysec", "always"])
async def test_a_killed_redis_with_a_log_loses_nothing_in_silence(
    aof: Literal["everysec", "always"], tmp_path: Path
) -> None:
    """kill -9 of the server under load, and a restart on its log: two state processes go on with what it has.

    Where each write was synced that is all they had said, and the generation stays. Elsewhere the server answers before
    it writes while its disk is slow: what is lost then is told by a new generation.
    """
    server = ValkeyServer(tmp_path / "valkey", aof=aof)
    with serving(server):
        async with open_replicas([server.url] * 2, tmp_path) as replicas:
            load = Load([replica.door for replica in replicas], random.Random(1), lossless=aof == "always")
            await killed_under_load(load, 2, lambda: asyncio.to_thread(server.restart))
            generations = {generation for history in load.histories for generation in history.generations()}
            assert len(generations) == 1 if aof == "always" else len(generations) > 1


async def test_a_killed_state_process_over_redis_loses_nothing(tmp_path: Path) -> None:
    """kill -9 of one of two under load: callers go on at the other, and the first takes up its work again."""
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        async with open_replicas([server.url] * 2, tmp_path) as replicas:
            load = Load([replica.door for replica in replicas], random.Random(1))
            victims = iter(replicas * 2)
            await killed_under_load(load, 2, lambda: next(victims).crash())
            assert len({generation for history in load.histories for generation in history.generations()}) == 1


async def test_a_redis_that_forgot_everything_is_believed(tmp_path: Path) -> None:
    """Without a log a restarted server is empty: state processes that ran on say so, and take what comes anew.

    Under numbers that were seen before the new history does not show under the old generation.
    """
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        async with open_replicas([server.url] * 2, tmp_path) as replicas:
            doors = [replica.door for replica in replicas]
            await e.lease(doors[0])
            await e.record(doors[0], e.record_entry("run-1"))
            await e.append_events(doors[0], "run-1", e.token("seen"))
            before = [await read_whole(door, "run-1") for door in doors]
            await asyncio.to_thread(server.restart)
            for door in doors:
                await until(lambda: gone(door, "run-1"))  # noqa: B023 - awaited at once
            await e.lease(doors[1])
            await e.record(doors[1], e.record_entry("run-1"))
            await e.append_events(doors[1], "run-1", e.token("other"))
            for door in doors:
                generation, log = await read_whole(door, "run-1")
                assert [event.token.text for event in log[2:]] == ["other"]
                assert generation > before[0][0]


async def gone(door: Door, run_id: str) -> bool | None:
    """Returns True once a state process says that there is no such run."""
    try:
        await read_whole(door, run_id)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return True
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
    return None
