"""Processes are killed at random under load, and nothing that was acknowledged or seen is lost, changed or doubled."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.client import RunState, Transcript, errors
from penstock.v1.run_event_pb2 import RunEvent
from penstock.wire.ids import random_id
from penstock.wire.status import from_status
from tests.topologies.mesh import Mesh

READERS = 8
NUMBERS = 40
COUNTED = "".join(f"{number} " for number in range(NUMBERS))


@dataclass
class Watched:
    """Represents a run and all that its reader has seen of it, over any number of connections."""

    key: str
    run_id: str = ""
    seen: list[RunEvent] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether the reader has seen the end."""
        return bool(self.seen) and self.seen[-1].HasField("run_finished")


async def watch(mesh: Mesh, watched: Watched) -> None:
    """Starts a run and reads it to its end, beginning anew after what was seen whenever something breaks."""
    while not watched.over:
        try:
            async with mesh.client() as client:
                if not watched.run_id:
                    run = await client.create_run(str(NUMBERS), agent="paced", idempotency_key=watched.key)
                    watched.run_id = run.run_id
                last = watched.seen[-1].sequence if watched.seen else 0
                async for event in client.attach_run(watched.run_id, last):
                    watched.seen.append(event)
        except errors.PenstockError:
            await asyncio.sleep(0.1)  # a process that comes up again sets no event of ours


async def keep_watching(mesh: Mesh, done: list[Watched], stop: asyncio.Event) -> None:
    """Watches one run after another until told to stop; the last one is watched to its end."""
    while not stop.is_set():
        watched = Watched(key=random_id("chaos"))
        done.append(watched)
        await watch(mesh, watched)


async def kill_at_random(mesh: Mesh, kills: int, dice: random.Random) -> None:
    """Kills processes one after another and starts each again, now and then two at once."""
    for _ in range(kills):
        await asyncio.sleep(dice.uniform(0.2, 3.0))  # the time between two kills is the experiment itself
        names = dice.sample(sorted(mesh.daemons), k=min(len(mesh.daemons), dice.choice((1, 1, 1, 2))))
        for name in names:
            await mesh.daemons[name].kill()
        await asyncio.sleep(dice.uniform(0.0, 0.5))  # and so is the time for which they are away
        for name in sorted(names, key=list(mesh.daemons).index):
            await mesh.daemons[name].start()


@pytest.mark.parametrize("topology", ["one process", "process per layer", "two of each"])
async def test_nothing_seen_is_lost_whatever_dies(
    topology: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each reader sees its run whole, in order and once; what it saw is what the log says after it all."""
    seed = request.config.getoption("--chaos-seed")
    dice = random.Random(seed)
    mesh = Mesh(topology, tmp_path, aof="always")
    done: list[Watched] = []
    try:
        await mesh.start(
            PENSTOCK_LAYERS__ORCHESTRATOR__LEASE_SECONDS="1",
            PENSTOCK_LAYERS__ORCHESTRATOR__LOST_ATTEMPTS="100",
            PENSTOCK_LOG__LEVEL="warning",
        )
        stop = asyncio.Event()
        async with asyncio.timeout(600), asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(keep_watching(mesh, done, stop))
            await kill_at_random(mesh, request.config.getoption("--chaos-kills"), dice)
            stop.set()
        ends: Counter[str] = Counter()
        async with mesh.client() as client:
            for watched in done:
                log = [event async for event in client.attach_run(watched.run_id)]
                assert log == watched.seen, f"run {watched.run_id} (seed {seed})"
                assert [event.sequence for event in log] == list(range(1, len(log) + 1))
                assert [event.HasField("run_finished") for event in log] == [False] * (len(log) - 1) + [True]
                run = await client.get_run(watched.run_id)
                assert run.state == log[-1].run_finished.state
                ends[from_status(run.error).reason if run.HasField("error") else "SUCCEEDED"] += 1
                if run.state == RunState.RUN_STATE_SUCCEEDED:
                    assert Transcript().consume_all(log).text == COUNTED
        print(f"{topology}: {len(done)} runs, {dict(ends)}, seed {seed}")
        assert ends["SUCCEEDED"] > 0
    finally:
        await mesh.stop()
