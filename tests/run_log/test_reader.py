"""What a LogReader promises to those who follow runs: each event once and in order, whatever the stream does."""

import asyncio

import pytest

from penstock.run_log.reader import LogReader
from penstock.run_log.writer import LogWriter
from penstock.v1 import run_event_pb2 as events
from penstock.v1.run_event_pb2 import RunEvent, RunFinished, StepFinished
from penstock.v1.run_log_pb2 import TAIL_INCLUDE_SIGNALS
from penstock.v1.run_pb2 import RUN_STATE_SUCCEEDED
from penstock.wire.errors import NotFound, Unavailable
from tests.run_log.faulty_state import TENANT, token

END = (
    RunEvent(step_id="main", attempt=1, step_finished=StepFinished(outcome=events.STEP_OUTCOME_SUCCEEDED)),
    RunEvent(run_finished=RunFinished(state=RUN_STATE_SUCCEEDED, output_step_id="main")),
)


def attempt(writer, run_id):
    """Opens the writing end of the only step's first attempt."""
    return writer.open(tenant=TENANT, run_id=run_id, epoch=1, step_id="main", attempt=1)


async def all_of(tail):
    """Reads a tail to the end."""
    return [event async for batch in batches(tail) for event in batch.events]


async def batches(tail):
    while (batch := await tail.next()) is not None:
        yield batch


async def test_a_run_is_read_to_its_last_event_and_then_to_none(state):
    """Also when it ended before the reader came."""
    await state.record("r")
    async with LogWriter(state.log) as writer:
        await attempt(writer, "r").append(token("a"), *END)
    async with LogReader(state.log) as reader, reader.open(TENANT, "r") as tail:
        read = await all_of(tail)
        assert [event.sequence for event in read] == [1, 2, 3, 4, 5]
        assert await tail.next() is None


async def test_after_a_broken_stream_each_run_goes_on_from_its_cursor(state):
    """Nothing is missing, and nothing comes twice, for any of them."""
    names = ["r1", "r2", "r3"]
    for name in names:
        await state.record(name)
    async with LogWriter(state.log) as writer, LogReader(state.log) as reader:
        ends = {name: attempt(writer, name) for name in names}
        read: dict[str, list[str]] = {name: [] for name in names}
        arrived = asyncio.Event()
        wanted = 0

        async def follow(name: str) -> list[int]:
            sequences = []
            async with reader.open(TENANT, name) as tail:
                async for batch in batches(tail):
                    for event in batch.events:
                        sequences.append(event.sequence)
                        if event.HasField("token"):
                            read[name].append(event.token.text)
                    if all(len(texts) >= wanted for texts in read.values()):
                        arrived.set()
            return sequences

        async with asyncio.TaskGroup() as group:
            followers = [group.create_task(follow(name)) for name in names]
            for round_ in range(4):
                wanted += 1
                arrived.clear()
                for name in names:
                    await ends[name].append(token(f"{name}-{round_}"))
                await arrived.wait()
                state.wire.break_streams()
            for name in names:
                await ends[name].append(*END)
        for name, follower in zip(names, followers, strict=True):
            assert read[name] == [f"{name}-{round_}" for round_ in range(4)]
            assert follower.result() == list(range(1, 9))
    assert state.wire.calls["TailEvents"] == 5


async def test_a_small_window_holds_nothing_up_also_over_a_broken_stream(state):
    """Credit is given back as events are taken, and counted anew on another stream."""
    await state.record("r")
    texts = [f"{number}:" + "x" * 500 for number in range(200)]
    async with LogWriter(state.log) as writer:
        end = attempt(writer, "r")
        await end.emit(*map(token, texts))
        await end.append(*END)
    async with LogReader(state.log) as reader, reader.open(TENANT, "r", window_bytes=2_000) as tail:
        read = []
        async for batch in batches(tail):
            read.extend(event.token.text for event in batch.events if event.HasField("token"))
            if len(read) in range(50, 60):
                state.wire.break_streams()
    assert read == texts


async def test_cancelling_next_loses_nothing(state):
    """Whoever was cancelled while waiting asks again, and gets what came; others never notice."""
    await state.record("r1")
    await state.record("r2")
    async with (
        LogWriter(state.log) as writer,
        LogReader(state.log) as reader,
        reader.open(TENANT, "r1", after_sequence=2) as tail,
        reader.open(TENANT, "r2") as other,
    ):
        assert (await tail.next()).HasField("run")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await tail.next()
        await attempt(writer, "r1").append(token("a"), *END)
        await attempt(writer, "r2").append(token("b"), *END)
        assert [event.sequence for event in await all_of(tail)] == [3, 4, 5]
        assert len(await all_of(other)) == 5


async def test_a_tail_waits_for_the_state_layer_as_long_as_its_patience_goes(state):
    """The impatient one fails with Unavailable, the patient one goes on."""
    await state.record("r")
    async with (
        LogWriter(state.log) as writer,
        LogReader(state.log) as reader,
        reader.open(TENANT, "r", after_sequence=2, patience=0.1) as impatient,
        reader.open(TENANT, "r", after_sequence=2) as patient,
    ):
        assert (await impatient.next()).HasField("run")
        assert (await patient.next()).HasField("run")
        state.wire.away = True
        state.wire.break_streams()
        with pytest.raises(Unavailable) as raised:
            await impatient.next()
        assert raised.value.reason == "STATE_AWAY"
        state.wire.away = False
        await attempt(writer, "r").append(token("a"), *END)
        assert [event.sequence for event in await all_of(patient)] == [3, 4, 5]


async def test_patience_begins_anew_for_who_comes_after_a_time_when_nobody_followed(state):
    """How long the state layer was away before, or was not asked, is no concern of a new tail."""
    await state.record("r")
    async with LogReader(state.log) as reader:
        state.wire.away = True
        async with reader.open(TENANT, "r", patience=1.2) as tail:
            with pytest.raises(Unavailable):
                await tail.next()
        state.wire.refused.clear()
        async with reader.open(TENANT, "r", patience=1.2) as tail, asyncio.TaskGroup() as group:
            waiting = group.create_task(tail.next())
            await state.wire.refused.wait()
            state.wire.away = False
            assert (await waiting).HasField("run")


async def test_a_run_that_there_is_not_fails_its_own_tail_only(state):
    """NotFound, while others go on."""
    await state.record("r")
    async with (
        LogReader(state.log) as reader,
        reader.open(TENANT, "nobody") as missing,
        reader.open(TENANT, "r") as tail,
    ):
        with pytest.raises(NotFound):
            await missing.next()
        assert (await tail.next()).events


async def test_an_owner_hears_signals_over_a_broken_stream(state):
    """Durable, so that no break can lose one."""
    await state.record("r")
    async with LogReader(state.log) as reader, reader.open(TENANT, "r", include=[TAIL_INCLUDE_SIGNALS]) as tail:
        await tail.next()
        state.wire.away = True
        state.wire.break_streams()
        await state.wire.refused.wait()
        state.wire.away = False
        await state.cancel("r")
        async for batch in batches(tail):
            if batch.signals:
                assert batch.signals[0].signal.cancel.reason == "enough"
                return
        raise AssertionError("the log ended without its signal")
