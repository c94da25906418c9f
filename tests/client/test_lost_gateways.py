"""Gateways that die or leave: readers and callers go on at the next one, and miss nothing."""

import asyncio

import pytest

from penstock.client import Client, Reconnecting, RunEvent, RunState, RunStream, Transcript, errors
from penstock.wire.ids import random_id
from tests.client.two_doors import TwoDoors

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("lost-gateways")]

# At 10 ms each: so many that a run still goes on when a busy machine lets a test come to its crash late.
NUMBERS = 300
COUNTED = "".join(f"{number} " for number in range(NUMBERS))


def assert_whole(events: list[RunEvent]) -> None:
    """Checks that each event came once, in order, up to the run's one end, and that together they say it all."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.HasField("run_finished") for event in events] == [False] * (len(events) - 1) + [True]
    assert Transcript().consume_all(events).text == COUNTED


async def read_to(stream: RunStream, sequence: int) -> list[RunEvent]:
    """Reads a stream from its beginning to an event of this number."""
    events: list[RunEvent] = []
    while len(events) < sequence:
        events.append(await anext(stream))
    return events


async def ended(before: set[asyncio.Task[object]]) -> None:
    """Waits for tasks that have begun since to end; gRPC's own do so in a moment, others never would."""
    while left := asyncio.all_tasks() - before:
        await asyncio.wait(left)


async def test_a_stream_outlives_its_gateway_at_another_one(doors: TwoDoors) -> None:
    """SIGKILL in mid-stream: every event once, in order, and the caller was told where it goes on."""
    told: list[Reconnecting] = []
    async with asyncio.timeout(60), Client(doors.address) as client:
        stream = client.stream_run(str(NUMBERS), agent="paced", on_reconnect=told.append)
        events = await read_to(stream, 20)
        await doors.first.kill()
        events += [event async for event in stream]
    assert_whole(events)
    assert [(one.attempt, one.address) for one in told] == [(1, doors.second.listen)]
    assert isinstance(told[0].error, errors.Unavailable)
    assert told[0].error.metadata["run_id"] == stream.run_id
    assert 20 <= told[0].cursor.after_sequence < len(events)
    assert told[0].cursor.generation == stream.cursor.generation != 0


async def test_a_stream_outlives_one_gateway_after_the_other(doors: TwoDoors) -> None:
    """As long as one answers at a time, however many die meanwhile."""
    async with asyncio.timeout(60), Client(doors.address) as client:
        stream = client.stream_run(str(NUMBERS), agent="paced")
        events = await read_to(stream, 20)
        await doors.first.kill()
        events.append(await anext(stream))
        await doors.first.start()
        await doors.second.kill()
        events += [event async for event in stream]
    assert_whole(events)


async def test_a_stream_waits_for_its_only_gateway_to_come_back(doors: TwoDoors) -> None:
    """On the same port, as after a crash that a supervisor mends."""
    told: list[Reconnecting] = []
    async with asyncio.timeout(60), Client(doors.first.listen) as client:
        stream = client.stream_run(str(NUMBERS), agent="paced", on_reconnect=told.append)
        events = await read_to(stream, 20)
        await doors.first.kill()
        async with asyncio.TaskGroup() as group:
            group.create_task(doors.first.start())
            events += [event async for event in stream]
    assert_whole(events)
    assert [one.attempt for one in told] == list(range(1, len(told) + 1)) != []
    assert {one.address for one in told} == {doors.first.listen}


async def test_a_draining_gateway_hands_its_readers_to_the_other(doors: TwoDoors) -> None:
    """SIGTERM: a rolling restart loses no token and no reader."""
    async with asyncio.timeout(60), Client(doors.address) as client:
        streams = [client.stream_run(str(NUMBERS), agent="paced") for _ in range(5)]
        begun = [await read_to(stream, 10) for stream in streams]
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(doors.first.stop())
            for stream, events in zip(streams, begun, strict=True):
                events += [event async for event in stream]
                assert_whole(events)
    assert leaving.result() == 0


async def test_execute_run_over_a_killed_gateway_gives_one_run(doors: TwoDoors) -> None:
    """The call is repeated with its key, and answers with the end of the run that it had started."""
    mark = {"who": random_id("x")}
    async with asyncio.timeout(60), Client(doors.address) as client, Client(doors.second.listen) as watching:
        async with asyncio.TaskGroup() as group:
            executing = group.create_task(client.execute_run(str(NUMBERS), agent="paced", labels=mark))
            while not (found := [run async for run in watching.list_runs(labels=mark)]):  # noqa: ASYNC110 - see sleep
                await asyncio.sleep(0.02)  # another process's run sets no event of ours
            assert found[0].state == RunState.RUN_STATE_RUNNING
            await doors.first.kill()
        run = executing.result()
        assert (run.state, run.output[0].text) == (RunState.RUN_STATE_SUCCEEDED, COUNTED)
        assert [one.run_id async for one in watching.list_runs(labels=mark)] == [run.run_id]


async def test_calls_go_to_the_next_gateway_without_a_word(doors: TwoDoors) -> None:
    """Reads, creates and cancels alike; and they stay there."""
    async with asyncio.timeout(30), Client(doors.address) as client:
        run = await client.create_run("x", agent="endless")
        await doors.first.kill()
        assert (await client.cancel_run(run.run_id)).run_id == run.run_id
        assert (await client.create_run("x", agent="echo")).run_id
        assert run.run_id in [one.run_id async for one in client.list_runs(page_size=2)]


async def test_when_patience_is_over_the_error_names_every_address_and_the_run(doors: TwoDoors) -> None:
    """And says how long was tried; the run goes on without its reader."""
    async with asyncio.timeout(60), Client(doors.address, patience=0.5) as client:
        stream = client.stream_run("x", agent="endless")
        await read_to(stream, 10)
        await doors.first.kill()
        await doors.second.kill()
        with pytest.raises(errors.Unavailable, match="gave up after") as lost:
            await read_to(stream, 10_000)
        for address in (doors.first.listen, doors.second.listen):
            assert address in lost.value.message
        assert lost.value.metadata["run_id"] == stream.run_id
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        await doors.all_up()
        assert (await client.cancel_run(stream.run_id)).state == RunState.RUN_STATE_RUNNING


async def test_closing_a_client_leaves_nothing_behind(doors: TwoDoors) -> None:
    """Neither tasks nor calls in the servers: with streams that read, that lost their gateway, and that were left."""
    paused = asyncio.Event()
    before = asyncio.all_tasks()
    async with asyncio.timeout(60):
        client = Client(doors.address)
        going = [client.stream_run("x", agent="endless", on_reconnect=lambda _: paused.set()) for _ in range(3)]
        for stream in going:
            await read_to(stream, 5)
        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(_ending(stream)) for stream in going[:2]]
            await doors.first.kill()
            await doors.second.kill()
            await paused.wait()
            await client.aclose()
        assert [task.result() for task in reading] == ["STREAM_ENDED"] * 2
        await ended(before)
        await doors.all_up()
        async with Client(doors.address) as again:
            for stream in going:
                await again.cancel_run(stream.run_id)
        await ended(before)


async def _ending(stream: RunStream) -> str:
    with pytest.raises(errors.Cancelled) as ended:
        await read_to(stream, 100_000)
    return ended.value.reason
