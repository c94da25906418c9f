"""What a LogWriter promises to those who emit: order, batching, safe repeats, backpressure, and a word when it ends."""

import asyncio
import logging

import pytest

from penstock.run_log.refusal import AppendRefused, LogStalled
from penstock.run_log.writer import LogWriter, WriterSettings
from penstock.v1 import run_log_pb2 as log
from penstock.v1.run_event_pb2 import STEP_OUTCOME_SUCCEEDED, RunEvent, StepFinished
from tests.run_log.faulty_state import TENANT, token

KIB = 1024


def attempt(writer, run_id, epoch=1):
    """Opens the writing end of the only step's first attempt."""
    return writer.open(tenant=TENANT, run_id=run_id, epoch=epoch, step_id="main", attempt=1)


async def test_what_many_runs_emit_while_one_append_is_in_flight_goes_into_the_next_call(state):
    """Group commit: 1 + 20 runs make two calls."""
    names = [f"r{number}" for number in range(21)]
    for name in names:
        await state.record(name)
    async with LogWriter(state.log) as writer:
        ends = [attempt(writer, name) for name in names]
        gate = state.wire.hold("AppendEvents")
        async with asyncio.TaskGroup() as group:
            group.create_task(ends[0].append(token("first")))
            await gate.arrived.wait()
            for end in ends[1:]:
                group.create_task(end.append(token("next")))
            await asyncio.sleep(0)  # lets each of them hand its event over
            state.wire.let_go("AppendEvents")
    assert state.wire.calls["AppendEvents"] == 2
    assert [await state.texts(name) for name in names] == [["first"], *[["next"]] * 20]


async def test_an_append_whose_answer_was_lost_is_repeated_and_changes_nothing(state):
    """The same numbers, and each event once."""
    await state.record("r")
    async with LogWriter(state.log) as writer:
        end = attempt(writer, "r")
        state.wire.lose["AppendEvents"] = 2
        await end.emit(token("a"), token("b"))
        answer = await end.append(token("c"))
    assert answer.outcome == log.APPEND_OUTCOME_REPEATED
    assert (answer.last_sequence, end.last_sequence) == (5, 5)
    assert state.wire.calls["AppendEvents"] == 3
    assert await state.texts("r") == ["a", "b", "c"]


async def test_an_absence_of_the_state_layer_is_told_once_and_so_is_its_end(state, caplog):
    """However often it is tried."""
    caplog.set_level(logging.WARNING, "penstock.run_log")
    await state.record("r")
    async with LogWriter(state.log) as writer:
        state.wire.refuse["AppendEvents"] = 3
        await attempt(writer, "r").append(token("a"))
    assert [record.getMessage() for record in caplog.records] == [
        "the run log does not take what is written: UNAVAILABLE; trying again",
        "the run log takes what is written again",
    ]


async def test_over_one_mib_unacknowledged_emit_blocks_until_there_is_room(state):
    """A slow store slows the agent, and costs no more memory than that."""
    await state.record("r")
    texts = [f"{number}" + "x" * 64 * KIB for number in range(20)]
    async with LogWriter(state.log) as writer:
        end = attempt(writer, "r")
        gate = state.wire.hold("AppendEvents")
        emitted = 0

        async def emit_all() -> None:
            nonlocal emitted
            for text in texts:
                await end.emit(token(text))
                emitted += 1
            await end.append(token("done"))

        async with asyncio.TaskGroup() as group:
            group.create_task(emit_all())
            await gate.arrived.wait()
            for _ in range(100):  # every turn of the loop that it could use
                await asyncio.sleep(0)
            assert 14 <= emitted <= 16
            state.wire.let_go("AppendEvents")
    assert await state.texts("r") == [*texts, "done"]


async def test_emit_and_append_give_up_when_nothing_is_acknowledged_for_too_long(state):
    """LogStalled, of which the attempt is lost."""
    await state.record("r")
    settings = WriterSettings(stall_seconds=0.05, unacknowledged_bytes=1 * KIB)
    async with LogWriter(state.log, settings) as writer:
        state.wire.hold("AppendEvents")
        with pytest.raises(LogStalled):
            await attempt(writer, "r").append(token("a"))
        with pytest.raises(LogStalled):
            await attempt(writer, "r").emit(token("x" * 2 * KIB))
        state.wire.let_go("AppendEvents")


async def test_a_refused_writer_writes_no_more_and_says_so(state):
    """Every later call raises, and whoever waits for it is told."""
    await state.record("r")
    await state.record("other")
    async with LogWriter(state.log) as writer:
        zombie = attempt(writer, "r", epoch=7)
        with pytest.raises(AppendRefused) as raised:
            await zombie.append(token("a"))
        assert raised.value.outcome == log.APPEND_OUTCOME_FENCED
        assert zombie.error is raised.value
        with pytest.raises(AppendRefused):
            await zombie.emit(token("b"))
        await attempt(writer, "other").append(token("others go on"))
    assert await state.texts("r") == []
    assert await state.texts("other") == ["others go on"]


async def test_nothing_of_a_writer_gets_into_the_log_after_an_entry_that_was_refused(state):
    """A hole in a log would be seen as the whole."""
    await state.record("r")
    async with LogWriter(state.log) as writer:
        end = attempt(writer, "r")
        gate = state.wire.hold("AppendEvents")
        await end.emit(token("first"))
        await gate.arrived.wait()
        await end.emit(RunEvent(step_id="main", attempt=2, token=token("not this attempt's").token))
        await end.emit(token("x" * 800 * KIB))
        state.wire.let_go("AppendEvents")
        with pytest.raises(AppendRefused) as raised:
            await end.append(token("last"))
        assert raised.value.outcome == log.APPEND_OUTCOME_INVALID
    assert await state.texts("r") == ["first"]


async def test_what_comes_after_an_append_does_not_share_its_fate(state):
    """Work that an agent left behind may emit while the end of its step is on its way."""
    await state.record("r")
    ended = RunEvent(step_id="main", attempt=1, step_finished=StepFinished(outcome=STEP_OUTCOME_SUCCEEDED))
    async with LogWriter(state.log) as writer:
        end = attempt(writer, "r")
        async with asyncio.TaskGroup() as group:
            appended = group.create_task(end.append(ended))
            group.create_task(end.emit(token("too late")))
        assert appended.result().outcome == log.APPEND_OUTCOME_APPENDED
        failed = asyncio.Event()
        end.on_failed(failed.set)
        await failed.wait()
        assert isinstance(end.error, AppendRefused)
    assert await state.texts("r") == []


async def test_events_keep_their_order_through_entries_and_calls(state):
    """Whatever their sizes."""
    await state.record("r")
    texts = [f"{number}:" + "x" * (number % 7) * 40 * KIB for number in range(60)]
    async with LogWriter(state.log) as writer:
        end = attempt(writer, "r")
        for text in texts:
            await end.emit(token(text))
        await end.append()
    assert await state.texts("r") == texts
    sequences = [event.sequence for event in await state.events("r")]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_events_that_are_emitted_together_fill_as_many_entries_as_they_need(state):
    """An entry holds little more than 1 MiB; one emit may bring any number of events."""
    await state.record("r")
    texts = [f"{number}:" + "x" * 500 * KIB for number in range(12)]
    async with LogWriter(state.log) as writer:
        end = attempt(writer, "r")
        await end.emit(*map(token, texts))
        await end.append()
    assert await state.texts("r") == texts


async def test_a_call_with_many_runs_in_it_stays_under_a_message(state):
    """4 MiB, with all that stands around the events."""
    names = [f"r{number:03}-{'n' * 110}" for number in range(700)]
    for name in ["first", *names]:
        await state.record(name)
    async with LogWriter(state.log) as writer:
        gate = state.wire.hold("AppendEvents")
        async with asyncio.TaskGroup() as group:
            group.create_task(attempt(writer, "first").append(token("a")))
            await gate.arrived.wait()
            for name in names:
                group.create_task(attempt(writer, name).append(*[token("a")] * 180, token("x" * 2 * KIB)))
            await asyncio.sleep(0)
            state.wire.let_go("AppendEvents")
    assert 1 * KIB * KIB < max(state.wire.sizes) < 2 * KIB * KIB
