"""The end of a run is lost after everybody was told of it, and the run comes to an end again all the same."""

import asyncio
import time
from pathlib import Path

import pytest

from penstock.client import Client, Cursor, RunState, errors
from penstock.state.redis.keys import Keys
from penstock.v1.run_event_pb2 import RunEvent
from penstock.wire.status import from_status
from tests.force.polling import until
from tests.force.small_mesh import small_mesh
from tests.stores.cluster import cluster
from tests.stores.server import ValkeyServer, serving

# The owner's silence, the look at what there is to claim, and room for slow machines.
ENDED_WITHIN = 10 + 5 + 10


async def seen(client: Client, run_id: str, cursor: Cursor, until_sequence: int = 2**31) -> list[RunEvent]:
    """Reads a run from a cursor on, to its end or to an event, however often the way to it breaks."""
    events: list[RunEvent] = []
    while True:
        try:
            async for event in client.attach_run(run_id, cursor.after_sequence, cursor.generation):
                events.append(event)
                cursor = Cursor(cursor.generation, event.sequence)
                if event.HasField("run_finished") or event.sequence >= until_sequence:
                    return events
        except errors.Unavailable:
            await asyncio.sleep(0.05)  # a server that comes up again sets no event of ours


async def going(client: Client, run_id: str) -> bool | None:
    """Returns True once a run is shown that goes on, in a newer generation."""
    try:
        run = await client.get_run(run_id)
    except errors.Unavailable:
        return None
    return True if run.generation > 1 and run.state == RunState.RUN_STATE_RUNNING else None


async def has_ended_again(client: Client, run_id: str, told: list[RunEvent]) -> None:
    """Checks that a run whose end was lost ends once more, after what the log has kept of what was told."""
    async with asyncio.timeout(ENDED_WITHIN):
        log = await seen(client, run_id, Cursor())
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    assert [event.HasField("run_finished") for event in log] == [False] * (len(log) - 1) + [True]
    assert from_status(log[-1].run_finished.error).reason == "OWNER_LOST"
    run = await client.get_run(run_id)
    assert (run.state, run.generation) == (RunState.RUN_STATE_FAILED, 2)
    # Who had seen the first end is told from where on this is another history.
    with pytest.raises(errors.DataLoss) as lost:
        await seen(client, run_id, Cursor(1, len(told)))
    common = lost.value.last_common_sequence
    assert 20 <= common < len(told)
    assert log[:common] == told[:common]


async def test_a_redis_restarted_from_an_older_snapshot_leaves_no_run_without_an_end(tmp_path: Path) -> None:
    """Valkey without a log takes a snapshot, is told of a run's end, dies, and comes back with the snapshot.

    The run's owner lives and has forgotten it; a run that it still drives goes on, on a new attempt, and can be ended.
    """
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        # Sweeps come by each run some time too.
        async with small_mesh(server.url, tmp_path, PENSTOCK_LAYERS__STATE__SWEEP_SECONDS="300") as client:
            ended, goes_on = [await client.create_run("x", agent="endless") for _ in range(2)]
            for run in (ended, goes_on):
                await seen(client, run.run_id, Cursor(), 20)
            await asyncio.to_thread(server.command, "SAVE")
            await client.cancel_run(ended.run_id)
            told = await seen(client, ended.run_id, Cursor())
            assert told[-1].run_finished.state == RunState.RUN_STATE_CANCELLED
            before = (await seen(client, goes_on.run_id, Cursor(), 200))[-1].sequence
            await asyncio.to_thread(server.restart)
            # Nobody asks for the run meanwhile, which would bring to light what has become of it.
            await asyncio.sleep(ENDED_WITHIN)  # the time that passes is the experiment itself
            asked = time.time()
            await has_ended_again(client, ended.run_id, told)
            assert (await client.get_run(ended.run_id)).finish_time.ToNanoseconds() / 1e9 < asked
            log = await seen(client, goes_on.run_id, Cursor(), before + 100)
            assert [event.sequence for event in log] == list(range(1, len(log) + 1))
            # Of the attempt whose tokens are lost nothing counts any more; the next one is whole.
            assert [event.attempt for event in log if event.HasField("rewind")] == [1]
            await client.cancel_run(goes_on.run_id)
            end = await seen(client, goes_on.run_id, Cursor(0, log[-1].sequence))
            assert end[-1].run_finished.state == RunState.RUN_STATE_CANCELLED


async def test_a_failover_that_loses_a_runs_end_leaves_no_run_without_one(tmp_path: Path) -> None:
    """A primary is told of a run's end, which its replica never hears of, and dies."""
    with cluster(tmp_path / "cluster") as made:
        async with small_mesh(made.url, tmp_path) as client:
            run = await client.create_run("x", agent="endless")
            await seen(client, run.run_id, Cursor(), 20)
            primary = made.primary_of(Keys().run_room("default", run.run_id).begin)
            replica = made.replica_of(primary)
            replica.stall()
            try:
                primary.command("CLIENT", "KILL", "TYPE", "replica")
                await client.cancel_run(run.run_id)
                told = await seen(client, run.run_id, Cursor())
                assert told[-1].run_finished.state == RunState.RUN_STATE_CANCELLED
            finally:
                primary.kill()
                replica.resume()
            await until(lambda: going(client, run.run_id), ENDED_WITHIN)
            await has_ended_again(client, run.run_id, told)
