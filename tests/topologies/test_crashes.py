"""What survives when processes die: SIGKILL, at the worst moment, in both topologies."""

import asyncio
import sys
from pathlib import Path

import pytest

from penstock.client import Client, RunState, Transcript, errors
from penstock.v1 import run_event_pb2 as events
from penstock.wire.status import from_status
from tests.topologies.mesh import ROOT, Mesh

# At 10 ms each: so many that a run still goes on when a busy machine lets a test come to its crash late.
NUMBERS = 300
COUNTED = "".join(f"{number} " for number in range(NUMBERS))
TERMINAL = {RunState.RUN_STATE_SUCCEEDED, RunState.RUN_STATE_FAILED, RunState.RUN_STATE_CANCELLED}


async def attach_until_it_answers(mesh: Mesh, run_id: str, after: int = 0) -> list[events.RunEvent]:
    """Reads a run to its end, attaching anew after what was seen whenever the connection is lost."""
    seen: list[events.RunEvent] = []
    async with asyncio.timeout(60):
        while True:
            async with mesh.client() as client:
                try:
                    last = seen[-1].sequence if seen else after
                    async for event in client.attach_run(run_id, last):
                        seen.append(event)
                except errors.PenstockError:
                    await asyncio.sleep(0.1)  # a process that comes up again sets no event of ours
                    continue
                return seen


def assert_gapless(seen: list[events.RunEvent], first: int = 1) -> None:
    """Checks that nothing is missing, nothing comes twice, and there is one end."""
    assert [event.sequence for event in seen] == list(range(first, first + len(seen)))
    assert [event.HasField("run_finished") for event in seen] == [False] * (len(seen) - 1) + [True]


async def test_a_killed_executor_costs_a_rewind_and_the_transcript_is_right(split_mesh: Mesh) -> None:
    """The executor dies in mid-stream and comes back: the client sees a rewind, attempt 2, and one correct text."""
    executor = split_mesh.daemons["executor"]
    seen: list[events.RunEvent] = []
    async with split_mesh.client() as client, asyncio.timeout(60):
        async for event in client.stream_run(str(NUMBERS), agent="paced"):
            seen.append(event)
            if len(seen) == 20:
                await executor.kill()
                await executor.start()
    assert_gapless(seen)
    rewinds = [event for event in seen if event.HasField("rewind")]
    assert [(event.step_id, event.attempt, event.rewind.from_sequence) for event in rewinds] == [("main", 1, 2)]
    assert from_status(rewinds[0].rewind.cause).reason == "EXECUTOR_LOST"
    assert [event.attempt for event in seen if event.HasField("step_started")] == [1, 2]
    assert Transcript().consume_all(seen).text == COUNTED
    assert seen[-1].run_finished.state == RunState.RUN_STATE_SUCCEEDED


async def test_a_step_fails_when_its_executor_is_lost_three_times(split_mesh: Mesh) -> None:
    """Losses don't count against a retry policy, but after the third the step fails, and says why."""
    executor = split_mesh.daemons["executor"]
    seen: list[events.RunEvent] = []
    async with split_mesh.client() as client, asyncio.timeout(90):
        async for event in client.stream_run("go", agent="endless"):
            seen.append(event)
            if event.HasField("token") and event.attempt > sum(one.HasField("rewind") for one in seen[:-1]):
                opened = max(one.attempt for one in seen)
                if sum(one.HasField("token") and one.attempt == opened for one in seen) == 3:
                    await executor.kill()
                    await executor.start()
    assert_gapless(seen)
    assert [event.attempt for event in seen if event.HasField("step_started")] == [1, 2, 3]
    assert from_status(seen[-1].run_finished.error).reason == "EXECUTOR_LOST"


async def test_a_finished_run_can_be_read_while_the_orchestrator_is_dead(split_mesh: Mesh) -> None:
    """With only gateway and state alive a run is replayed to its end; starting one is UNAVAILABLE with a retry time."""
    async with split_mesh.client() as client:
        whole = [event async for event in client.stream_run("10", agent="paced")]
        run = await anext(aiter(client.list_runs()))
    for layer in ("orchestrator", "executor", "tools"):
        await split_mesh.daemons[layer].kill()
    async with split_mesh.client() as client:
        async with asyncio.timeout(30):
            while next(one for one in (await client.get_status()).layers if one.layer == "gateway").serving:  # noqa: ASYNC110 - see sleep
                await asyncio.sleep(0.05)  # the gateway looks every second, and sets no event of ours
        assert [event async for event in client.attach_run(run.run_id)] == whole
        assert [event async for event in client.attach_run(run.run_id, 5)] == whole[5:]
        assert (await client.get_run(run.run_id)).output[0].text.startswith("0 1 2")
    async with Client(split_mesh.address, patience=0) as client:
        with pytest.raises(errors.Unavailable) as away:
            await client.create_run("x", agent="echo")
        assert away.value.retry_after is not None


async def test_a_killed_client_attaches_again_where_it_was(own_mesh: Mesh, tmp_path: Path) -> None:
    """A client process dies in mid-stream; another goes on from the number seen last, also after the end."""
    async with own_mesh.client() as client:
        run = await client.create_run(str(NUMBERS), agent="paced")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("penstock")),
        "attach",
        run.run_id,
        "--json",
        "--address",
        own_mesh.address,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(15)]
    process.kill()
    await process.wait()
    last = len(lines)
    assert f'"sequence": "{last}"'.encode() in lines[-1] or f'"sequence":"{last}"'.encode() in lines[-1]
    live = await attach_until_it_answers(own_mesh, run.run_id, after=last)
    assert_gapless(live, first=last + 1)
    replayed = await attach_until_it_answers(own_mesh, run.run_id, after=last)
    assert replayed == live
    whole = await attach_until_it_answers(own_mesh, run.run_id)
    assert Transcript().consume_all(whole).text == COUNTED


async def test_everything_acknowledged_survives_the_death_of_all(own_mesh: Mesh) -> None:
    """All processes die and come back: runs and events seen are there, and each run comes to exactly one end."""
    async with own_mesh.client() as client:
        done = await client.execute_run("kept", agent="echo", session="s")
        going = [await client.create_run("x", agent="endless") for _ in range(3)]
        queued_behind = await client.create_run("first", agent="endless", session="busy")
        queued = await client.create_run("second", agent="echo", session="busy")
        seen = [[], []]
        for watched, run in zip(seen, going, strict=False):
            async for event in client.attach_run(run.run_id):
                watched.append(event)
                if len(watched) == 10:
                    break
    for daemon in own_mesh.daemons.values():
        await daemon.kill()
    for daemon in own_mesh.daemons.values():
        await daemon.start()
    for watched, run in zip(seen, going, strict=False):
        log = await attach_until_it_answers(own_mesh, run.run_id)
        assert_gapless(log)
        assert log[: len(watched)] == watched
        assert log[-1].run_finished.state == RunState.RUN_STATE_FAILED
        assert from_status(log[-1].run_finished.error).reason == "OWNER_LOST"
    for run in (*going, queued_behind):
        assert_gapless(await attach_until_it_answers(own_mesh, run.run_id))
    after_the_orphan = await attach_until_it_answers(own_mesh, queued.run_id)
    assert after_the_orphan[-1].run_finished.state == RunState.RUN_STATE_SUCCEEDED
    async with own_mesh.client() as client:
        assert (await client.get_run(done.run_id)).output[0].text == "kept "
        assert [message.content[0].text async for message in client.list_messages("s")] == ["kept", "kept "]
        again = await client.execute_run("works", agent="echo")
        assert again.state == RunState.RUN_STATE_SUCCEEDED


async def test_runs_wait_out_a_short_absence_of_the_state_layer(split_mesh: Mesh) -> None:
    """The state process dies and comes back: running agents block, then go on; nothing is lost or doubled."""
    state = split_mesh.daemons["state"]
    async with split_mesh.client() as client:
        run = await client.create_run(str(NUMBERS), agent="paced")
        async for event in client.attach_run(run.run_id):
            if event.sequence == 20:
                break
    await state.kill()
    async with Client(split_mesh.address, patience=0) as client:
        with pytest.raises(errors.Unavailable) as away:
            await client.get_run(run.run_id)
        assert away.value.retry_after is not None
    await state.start()
    log = await attach_until_it_answers(split_mesh, run.run_id)
    assert_gapless(log)
    assert Transcript().consume_all(log).text == COUNTED
    assert log[-1].run_finished.state == RunState.RUN_STATE_SUCCEEDED


async def test_a_long_absence_of_the_state_layer_costs_an_attempt_and_nothing_else(tmp_path: Path) -> None:
    """An agent whose events nobody takes fails its attempt; when the state layer is back, the next one succeeds."""
    mesh = Mesh("process per layer", tmp_path)
    try:
        await mesh.start(PENSTOCK_LAYERS__EXECUTOR__LOG_PATIENCE="0.5")
        async with mesh.client() as client:
            run = await client.create_run(str(NUMBERS), agent="paced")
            async for event in client.attach_run(run.run_id):
                if event.sequence == 20:
                    break
            await mesh.daemons["state"].kill()
            orchestrator = mesh.daemons["orchestrator"].log
            async with asyncio.timeout(30):
                while "waiting for the log of run" not in orchestrator.read_text():  # noqa: ASYNC110 - see sleep
                    await asyncio.sleep(0.05)  # another process's file sets no event of ours
            status = await client.get_status()
            assert {layer.layer for layer in status.layers if not layer.serving} >= {"state", "executor"}
        await mesh.daemons["state"].start()
        log = await attach_until_it_answers(mesh, run.run_id)
    finally:
        await mesh.stop()
    assert_gapless(log)
    assert [event.attempt for event in log if event.HasField("step_started")] == [1, 2]
    assert Transcript().consume_all(log).text == COUNTED


async def test_a_cancel_survives_the_owner(split_mesh: Mesh) -> None:
    """A cancel that is durable ends the run CANCELLED, also when the owner died before it heard of it."""
    async with split_mesh.client() as client:
        run = await client.create_run("x", agent="endless")
        await split_mesh.daemons["orchestrator"].kill()
        await client.cancel_run(run.run_id, "no longer needed")
    await split_mesh.daemons["orchestrator"].start()
    log = await attach_until_it_answers(split_mesh, run.run_id)
    assert_gapless(log)
    assert log[-1].run_finished.state == RunState.RUN_STATE_CANCELLED
    assert "no longer needed" in log[-1].run_finished.error.message


async def test_a_drained_process_ends_cleanly_and_loses_nothing(own_mesh: Mesh) -> None:
    """SIGTERM lets a short run finish, the exit code is 0, and a later start finds it all."""
    async with own_mesh.client() as client:
        run = await client.create_run("50", agent="paced")
    codes = [await daemon.stop() for daemon in reversed(list(own_mesh.daemons.values()))]
    assert codes == [0] * len(codes)
    for daemon in own_mesh.daemons.values():
        await daemon.start()
    log = await attach_until_it_answers(own_mesh, run.run_id)
    assert_gapless(log)
    assert log[-1].run_finished.state in TERMINAL
