"""State processes and Redis servers are killed again and again under load; no promise about logs may break."""

import asyncio
import random
from pathlib import Path
from typing import Literal

import pytest

from penstock.v1.run_pb2 import Durability
from tests.force.failing_over import fail_over, fail_over_behind
from tests.force.killing import killed_under_load
from tests.force.load import Load
from tests.force.replica import open_replicas
from tests.stores.cluster import cluster
from tests.stores.server import ValkeyServer, serving


@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_state_processes_over_sqlite(synchronous: str, tmp_path: Path, seed: int, kills: int) -> None:
    """Each time the process comes back on the same file, with all that it had acknowledged."""
    url = f"sqlite:///{tmp_path}/state.db?synchronous={synchronous}"
    async with open_replicas([url], tmp_path) as (replica,):
        await killed_under_load(Load([replica.door], random.Random(seed)), kills, replica.crash)


@pytest.mark.parametrize("aof", ["everysec", "always"])
async def test_redis_with_a_log(aof: Literal["everysec", "always"], tmp_path: Path, seed: int, kills: int) -> None:
    """Each time the server comes back with its log, or one of the two state processes comes back instead."""
    server = ValkeyServer(tmp_path / "valkey", aof=aof)
    dice = random.Random(seed)
    with serving(server):
        async with open_replicas([server.url] * 2, tmp_path) as replicas:
            # Below `always` Redis answers before it writes while its disk is slow.
            load = Load([replica.door for replica in replicas], dice, lossless=aof == "always")

            async def kill() -> None:
                if dice.random() < 0.5:
                    await asyncio.to_thread(server.restart)
                else:
                    await dice.choice(replicas).crash()

            await killed_under_load(load, kills, kill)


async def test_primaries_of_a_cluster(tmp_path: Path, seed: int, kills: int) -> None:
    """Primaries die with their replica at their heels or stalled; state processes die between."""
    dice = random.Random(seed)
    with cluster(tmp_path / "cluster") as made:
        async with open_replicas([made.url] * 2, tmp_path) as replicas:
            doors = [replica.door for replica in replicas]
            level = Durability.DURABILITY_REPLICA
            sure = Load(doors, random.Random(seed), "sure", durability=level)
            unsure = Load(doors, random.Random(seed), "unsure", lossless=False)
            stop = asyncio.Event()
            async with asyncio.timeout(60 + 60 * kills):
                async with asyncio.TaskGroup() as group:
                    for load in (sure, unsure):
                        group.create_task(load.run(stop))
                    for _ in range(kills):
                        for load in (sure, unsure):
                            await load.progress(dice.randint(50, 200))
                        victim = dice.choice(made.primaries())
                        if dice.random() < 0.5:
                            await fail_over_behind(made, victim, unsure, sure)
                        else:
                            await fail_over(made, victim)
                        if dice.random() < 0.3:
                            await dice.choice(replicas).crash()
                    stop.set()
                for load in (sure, unsure):
                    await load.verify()
                    print(f"{load.name}: {load}, seed {seed}")
            assert all(len(history.generations()) == 1 for history in sure.histories)
