"""Two of each layer over one Redis: either of two may go, and nobody who uses the mesh loses by it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from penstock.client import Client, RunState, Transcript
from penstock.v1.run_event_pb2 import RunEvent
from penstock.wire.status import from_status
from tests.topologies.mesh import Mesh
from tests.topologies.test_crashes import COUNTED, NUMBERS, assert_gapless, attach_until_it_answers

LEASE = 3.0
"""Seconds; more than a busy machine keeps a process from renewing it."""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """Gives a mesh of two of each, whose processes the tests of this file kill and start again; leases are short."""
    mesh = Mesh("two of each", tmp_path_factory.mktemp("pair"), aof="always")
    try:
        await mesh.start(
            PENSTOCK_LAYERS__ORCHESTRATOR__LEASE_SECONDS=f"{LEASE}", PENSTOCK_LAYERS__ORCHESTRATOR__LOST_ATTEMPTS="100"
        )
        yield mesh
    finally:
        await mesh.stop()


async def seen_until(client: Client, run_id: str, sequence: int) -> list[RunEvent]:
    """Reads a run up to an event."""
    seen = []
    async for event in client.attach_run(run_id):
        seen.append(event)
        if event.sequence == sequence:
            break
    return seen


async def test_a_run_started_at_one_door_is_followed_live_at_the_other(pair: Mesh) -> None:
    """Wake-ups cross from state process to state process: no event comes later than its neighbours' pace allows."""
    doors = [Client(door.listen) for door in pair.hosts_of("gateway")]
    try:
        typical = []
        while not typical or (typical[-1] >= 0.25 and len(typical) < 5):  # a busy machine makes anybody late
            run = await doors[0].create_run("100", agent="paced")
            late = []
            async for event in doors[1].attach_run(run.run_id):
                late.append(time.time() - event.time.ToNanoseconds() / 1e9)
            assert event.run_finished.state == RunState.RUN_STATE_SUCCEEDED
            typical.append(sorted(late)[len(late) // 2])
        # Half of all tails are at the state process that the events were not written through. A follower who had to
        # look for himself would be late by up to a second.
        assert min(typical) < 0.25
    finally:
        for door in doors:
            await door.aclose()


async def test_a_dead_owners_run_comes_to_exactly_one_end(pair: Mesh) -> None:
    """The other orchestrator claims it and ends it, FAILED for the lost owner, within the lease and 2 s."""
    async with pair.client() as client:
        runs = [await client.create_run("x", agent="endless") for _ in range(6)]
        for run in runs:
            await seen_until(client, run.run_id, 5)
        victim = pair.hosts_of("orchestrator")[0]
        died = time.time()
        await victim.kill()
        try:
            lost = []
            async with asyncio.timeout(LEASE + 20):
                while not lost:
                    for run in runs:
                        now = await client.get_run(run.run_id)
                        if now.state == RunState.RUN_STATE_FAILED:
                            lost.append(run)
        finally:
            await victim.start()
        logs = {}
        for run in runs:
            if run not in lost and (await client.get_run(run.run_id)).state != RunState.RUN_STATE_FAILED:
                await client.cancel_run(run.run_id)
            logs[run.run_id] = await attach_until_it_answers(pair, run.run_id)
    ends = {run_id: log[-1].run_finished for run_id, log in logs.items()}
    for run_id, log in logs.items():
        assert_gapless(log)
        if ends[run_id].state == RunState.RUN_STATE_FAILED:
            assert from_status(ends[run_id].error).reason == "OWNER_LOST"
            # 2 s, and what a busy machine adds; who is not woken by the lapse looks after 5 s.
            assert log[-1].time.ToNanoseconds() / 1e9 - died <= LEASE + 4
        else:
            assert ends[run_id].state == RunState.RUN_STATE_CANCELLED
    assert lost


async def stream_through(pair: Mesh, disturb: Callable[[Client], Awaitable[None]]) -> None:
    """Streams four runs, disturbs the mesh meanwhile, and checks that every reader has one whole text in the end."""
    async with pair.client() as client, asyncio.TaskGroup() as group:
        runs = [await client.create_run(f"{NUMBERS}", agent="paced") for _ in range(4)]
        readers = [group.create_task(attach_until_it_answers(pair, run.run_id)) for run in runs]
        await seen_until(client, runs[0].run_id, 20)
        await disturb(client)
        for reader in readers:
            log = await reader
            assert_gapless(log)
            assert log[-1].run_finished.state == RunState.RUN_STATE_SUCCEEDED
            assert Transcript().consume_all(log).text == COUNTED


@pytest.mark.parametrize("layer", ["state", "gateway"])
async def test_one_of_two_dies_and_streams_go_on_at_the_other(pair: Mesh, layer: str) -> None:
    """Killed in mid-stream, and started again; callers notice nothing but a wait."""
    victim = pair.hosts_of(layer)[1]

    async def crash(client: Client) -> None:
        await victim.kill()
        assert (await client.execute_run("meanwhile", agent="echo")).state == RunState.RUN_STATE_SUCCEEDED
        await victim.start()

    await stream_through(pair, crash)


@pytest.mark.parametrize("layer", ["gateway", "orchestrator", "executor", "tools", "state"])
async def test_one_of_two_drains_while_the_other_serves(pair: Mesh, layer: str) -> None:
    """A rolling restart under streams loses no run and no event, and the process ends cleanly."""
    daemon = pair.hosts_of(layer)[0]

    async def drain(client: Client) -> None:
        assert await daemon.stop() == 0
        assert (await client.execute_run("meanwhile", agent="echo")).state == RunState.RUN_STATE_SUCCEEDED
        await daemon.start()

    await stream_through(pair, drain)


async def test_runs_wait_out_a_short_absence_of_redis(pair: Mesh) -> None:
    """Redis dies and comes back with its log: running agents block, then go on; nothing is lost or doubled."""
    store = pair.store
    assert store is not None
    await stream_through(pair, lambda client: asyncio.to_thread(store.restart))
