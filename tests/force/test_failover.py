"""Primaries of a Cluster die in full flight: what was promised to survive that survives, and the rest is told."""

import asyncio
import random
from pathlib import Path

import grpc
import grpc.aio

from penstock.state.redis.keys import Keys
from penstock.v1.run_log_pb2 import AppendEventsEntry
from penstock.v1.run_pb2 import Durability
from tests.force.failing_over import fail_over, fail_over_behind, taken_over
from tests.force.following import TENANT, follow_by_reading, read_whole
from tests.force.history import History, check_whole
from tests.force.load import Load
from tests.force.polling import until
from tests.force.replica import Door, open_replicas
from tests.state import entries as e
from tests.stores.cluster import cluster


async def test_failovers_lose_nothing_that_was_promised(tmp_path: Path) -> None:
    """One primary dies with its replica at its heels, another with its replica stalled.

    Runs at REPLICA lose nothing visible and keep their generation; of others the lost end shows as a new generation.
    """
    with cluster(tmp_path / "cluster") as made:
        async with open_replicas([made.url] * 2, tmp_path) as replicas:
            doors = [replica.door for replica in replicas]
            replica_level = Durability.DURABILITY_REPLICA
            sure = Load(doors, random.Random(1), "sure", lossless=True, durability=replica_level)
            unsure = Load(doors, random.Random(2), "unsure", lossless=False)
            stop = asyncio.Event()
            async with asyncio.timeout(120):
                async with asyncio.TaskGroup() as group:
                    for load in (sure, unsure):
                        group.create_task(load.run(stop))
                        await load.progress(50)
                    first, second, _ = made.primaries()
                    await fail_over(made, first)
                    for load in (sure, unsure):
                        await load.progress(50)
                    await fail_over_behind(made, second, unsure, sure)
                    for load in (sure, unsure):
                        await load.progress(50)
                    stop.set()
                for load in (sure, unsure):
                    await load.verify()
            print("sure:", sure, "\nunsure:", unsure)
            assert all(len(history.generations()) == 1 for history in sure.histories)
            assert any(len(history.generations()) > 1 for history in unsure.histories)
            assert unsure.counts["events lost"]


async def test_what_only_the_dead_primary_had_is_not_taken_for_confirmed_by_its_heir(tmp_path: Path) -> None:
    """An entry that no replica had is lost with the primary; readers are shown it when its writer repeats it.

    Its state process has not forgotten that there was such an entry, and must not take it for one of the heir's.
    """
    with cluster(tmp_path / "cluster") as made:
        async with open_replicas([made.url], tmp_path) as (replica,), asyncio.TaskGroup() as group:
            door, history = replica.door, History("run-1")
            recorded = e.record_entry("run-1")
            recorded.spec.durability = Durability.DURABILITY_REPLICA
            await e.lease(door)
            await e.record(door, recorded)
            seen = e.append_entry("run-1", e.token("1.0"), writer="w", number=1)
            assert await until(lambda: confirmed(door, seen))
            reader = group.create_task(follow_by_reading(lambda: door, history))
            primary = made.primary_of(Keys().run_room(TENANT, "run-1").begin)
            heir = made.replica_of(primary)
            heir.stall()
            primary.command("CLIENT", "KILL", "TYPE", "replica")
            unseen = e.append_entry("run-1", e.token("2.0"), e.token("2.1"), writer="w", number=2)
            assert not await confirmed(door, unseen)
            primary.kill()
            heir.resume()
            await taken_over(made, primary, heir)
            assert await until(lambda: looked(door))
            for entry in (
                unseen,
                e.append_entry("run-1", e.token("3.0"), writer="w", number=3),
                e.append_entry("run-1", e.step_finished(), e.run_finished(output_step="main"), writer="w", number=4),
            ):
                assert await until(lambda: confirmed(door, entry), 20)  # noqa: B023 - awaited at once
            async with asyncio.timeout(20):
                await reader
            generation, log = await read_whole(door, "run-1")
            check_whole("run-1", log)
            history.agrees_with(log, generation, len(log))
            assert [event.token.text for event in log if event.HasField("token")] == ["1.0", "2.0", "2.1", "3.0"]


async def confirmed(door: Door, entry: AppendEventsEntry) -> bool | None:
    """Appends an entry, or repeats it; returns True once it is as durable as the run asks for, None before."""
    try:
        (result,) = await e.append(door, entry)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return None
    assert result.first_sequence, result
    return True if result.durable_sequence >= result.last_sequence else None


async def looked(door: Door) -> bool | None:
    """Sends the run a signal, with which its room is written; returns True once the store has taken it."""
    try:
        await e.cancel(door, "run-1")
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return None
    return True
