"""What the log refuses, and what it answers to a repeat."""

import pytest

from penstock.state.settings import StateSettings
from penstock.v1.run_event_pb2 import RunEvent, SignalTaken, StepOutcome
from penstock.v1.run_log_pb2 import AppendOutcome as Out
from penstock.v1.run_pb2 import RunState, Usage
from tests.state import entries as e
from tests.state.house import House, open_house


@pytest.fixture(autouse=True)
async def run(house: House) -> None:
    """A run that has started, with attempt 1 of its step open."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))


async def test_events_are_numbered_without_gaps_and_stamped(house: House) -> None:
    """Sequences go on from the last one, and each event carries the store's time."""
    result = await e.append_events(house, "run-1", e.token("a"), e.token("b"))
    assert (result.outcome, result.first_sequence, result.last_sequence) == (Out.APPEND_OUTCOME_APPENDED, 3, 4)
    assert (result.durable_sequence, result.generation) == (4, 1)
    events = await e.read_log(house, "run-1")
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert all(event.time.seconds > 1_600_000_000 for event in events)
    assert [event.token.text for event in events[2:]] == ["a", "b"]


async def test_a_repeated_entry_gets_the_first_numbers(house: House) -> None:
    """A repeat adds nothing, and is answered as the first time, whatever happened in between."""
    entry = e.append_entry("run-1", e.token("a"), e.token("b"))
    first = (await e.append(house, entry))[0]
    await e.append_events(house, "run-1", e.token("c"))
    second = (await e.append(house, entry))[0]
    assert second.outcome == Out.APPEND_OUTCOME_REPEATED
    assert (second.first_sequence, second.last_sequence) == (first.first_sequence, first.last_sequence)
    assert len(await e.read_log(house, "run-1")) == 5


async def test_a_repeat_is_answered_before_any_fence(house: House) -> None:
    """The entry that ended attempt and run is REPEATED after that end, not refused by it."""
    end = e.append_entry("run-1", e.token(), e.step_finished(), e.run_finished(output_step="main"))
    first = (await e.append(house, end))[0]
    assert first.outcome == Out.APPEND_OUTCOME_APPENDED
    again = (await e.append(house, end))[0]
    assert again.outcome == Out.APPEND_OUTCOME_REPEATED
    assert again.last_sequence == first.last_sequence


async def test_a_repeat_is_recognised_after_a_restart_of_the_store(second_url: str) -> None:
    """Writers' numbers outlive the store's process."""
    entry = e.append_entry("run-2", e.token("a"), number=7)
    async with open_house(StateSettings(url=second_url)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-2"))
        first = (await e.append(house, entry))[0]
    async with open_house(StateSettings(url=second_url)) as house:
        again = (await e.append(house, entry))[0]
        assert (again.outcome, again.first_sequence) == (Out.APPEND_OUTCOME_REPEATED, first.first_sequence)
        late = await e.append_events(house, "run-2", e.token("old"), number=6)
        assert late.outcome == Out.APPEND_OUTCOME_OUT_OF_ORDER
        assert len(await e.read_log(house, "run-2")) == 3


async def test_an_entry_without_events_is_recognised_too(house: House) -> None:
    """A checkpoint is not put back by a late repeat of its entry."""
    old, new = e.append_entry("run-1"), e.append_entry("run-1")
    old.checkpoint, new.checkpoint = b"old", b"new"
    outcomes = [result.outcome for result in await e.append(house, old, new, old)]
    appended, repeated = Out.APPEND_OUTCOME_APPENDED, Out.APPEND_OUTCOME_REPEATED
    assert outcomes == [appended, appended, repeated]
    assert (await e.run_record(house, "run-1")).checkpoints["main"] == b"new"
    removed = e.append_entry("run-1")
    removed.checkpoint = b""
    await e.append(house, removed)
    assert not (await e.run_record(house, "run-1")).checkpoints


async def test_a_number_that_is_not_remembered_is_out_of_order(house: House) -> None:
    """A number below the writer's newest, which was never taken, is refused."""
    await e.append_events(house, "run-1", e.token(), number=100_000)
    late = await e.append_events(house, "run-1", e.token(), number=99_999)
    assert late.outcome == Out.APPEND_OUTCOME_OUT_OF_ORDER


async def test_a_wrong_epoch_is_fenced(house: House) -> None:
    """Entries of another epoch, older or newer, change nothing."""
    for epoch in (0, 2):
        result = await e.append_events(house, "run-1", e.token(), epoch=epoch)
        assert result.outcome == Out.APPEND_OUTCOME_FENCED
    assert len(await e.read_log(house, "run-1")) == 2


async def test_a_run_that_nobody_has_claimed_takes_nothing(house: House) -> None:
    """Epoch 0 is nobody's: whoever wrote under it would start a run that no one drives and no one can claim."""
    await e.record(house, e.record_entry("run-2", owner=""))
    result = await e.append_as_owner(house, "run-2", e.started(), epoch=0)
    assert result.outcome == Out.APPEND_OUTCOME_FENCED
    assert [run.record.run.run_id for run in (await e.claim(house)).runs] == ["run-2"]


async def test_a_closed_attempt_is_refused(house: House) -> None:
    """After a rewind and a new attempt, only the new one writes; an attempt never opened does not either."""
    again = await e.append_as_owner(house, "run-1", e.rewind(1), e.step_started(2))
    assert again.outcome == Out.APPEND_OUTCOME_APPENDED
    zombie = await e.append_events(house, "run-1", e.token())
    assert zombie.outcome == Out.APPEND_OUTCOME_ATTEMPT_CLOSED
    assert (await e.append_events(house, "run-1", e.token(attempt=2), attempt=2)).outcome == Out.APPEND_OUTCOME_APPENDED
    early = await e.append_events(house, "run-1", e.token(attempt=3), attempt=3)
    assert early.outcome == Out.APPEND_OUTCOME_ATTEMPT_CLOSED
    step = (await e.run_record(house, "run-1")).steps[0]
    assert (step.attempt, step.open, step.lost_attempts, step.started_sequence) == (2, True, 1, 4)


async def test_a_failed_attempt_is_closed_and_can_be_followed(house: House) -> None:
    """step_finished FAILED closes its attempt; the next one opens, and the failure counts as no loss."""
    failed = StepOutcome.STEP_OUTCOME_FAILED
    await e.append_events(house, "run-1", e.step_finished(outcome=failed))
    assert (await e.append_events(house, "run-1", e.token())).outcome == Out.APPEND_OUTCOME_ATTEMPT_CLOSED
    twice = await e.append_as_owner(house, "run-1", e.step_finished(outcome=failed))
    assert twice.outcome == Out.APPEND_OUTCOME_ATTEMPT_CLOSED
    again = await e.append_as_owner(house, "run-1", e.rewind(1), e.step_started(2))
    assert again.outcome == Out.APPEND_OUTCOME_APPENDED
    assert (await e.run_record(house, "run-1")).steps[0].lost_attempts == 0


async def test_a_finished_step_takes_nothing_more(house: House) -> None:
    """Neither its attempt nor the owner adds to a step that has succeeded."""
    await e.append_events(house, "run-1", e.step_finished())
    assert (await e.append_events(house, "run-1", e.token())).outcome == Out.APPEND_OUTCOME_STEP_FINISHED
    for event in (e.step_started(2), e.rewind(1), e.step_finished(outcome=StepOutcome.STEP_OUTCOME_FAILED)):
        assert (await e.append_as_owner(house, "run-1", event)).outcome == Out.APPEND_OUTCOME_STEP_FINISHED


async def test_a_finished_run_takes_nothing_more(house: House) -> None:
    """run_finished is the last event of its log, also for a wrong epoch and a closed attempt."""
    await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert (await e.append_events(house, "run-1", e.token(), epoch=9)).outcome == Out.APPEND_OUTCOME_RUN_FINISHED
    assert (await e.append_as_owner(house, "run-1", e.step_started(2))).outcome == Out.APPEND_OUTCOME_RUN_FINISHED
    assert e.kinds(await e.read_log(house, "run-1"))[-1] == "run_finished"


async def test_an_unknown_run_is_not_found(house: House) -> None:
    """A run of another tenant is not found either."""
    assert (await e.append_events(house, "run-9", e.token())).outcome == Out.APPEND_OUTCOME_NOT_FOUND
    assert (await e.append_events(house, "run-1", e.token(), tenant="other")).outcome == Out.APPEND_OUTCOME_NOT_FOUND


@pytest.mark.parametrize(
    "events",
    [
        [e.started()],
        [e.step_started(2)],
        [e.rewind(1)],
        [e.run_finished(), e.token()],
        [e.run_finished(RunState.RUN_STATE_RUNNING)],
        [e.token(step="other")],
        [e.token(attempt=2)],
        [RunEvent(step_id="main", attempt=1)],
        [RunEvent(sequence=9, step_id="main", attempt=1)],
    ],
    ids=lambda events: "+".join(str(event.WhichOneof("event")) for event in events),
)
async def test_what_an_attempt_may_not_write_is_invalid(house: House, events: list[RunEvent]) -> None:
    """Such an entry is refused by itself, leaves the log as it was, and the others of its call are taken."""
    results = await e.append(house, e.append_entry("run-1", *events), e.append_entry("run-1", e.token()))
    assert [result.outcome for result in results] == [Out.APPEND_OUTCOME_INVALID, Out.APPEND_OUTCOME_APPENDED]
    assert results[0].detail
    assert e.kinds(await e.read_log(house, "run-1")) == ["run_started", "step_started", "token"]


@pytest.mark.parametrize(
    "events",
    [
        [e.started()],
        [e.step_started(3)],
        [e.token(step="never-started")],
        [e.step_finished(step="never-started")],
        [e.step_started(1, step="b"), e.run_finished(output_step="b")],
        [RunEvent(signal=SignalTaken(signal_number=1))],
    ],
    ids=lambda events: "+".join(str(event.WhichOneof("event")) for event in events),
)
async def test_what_does_not_fit_the_log_is_invalid_as_a_whole(house: House, events: list[RunEvent]) -> None:
    """The part of an entry before the event that does not fit is undone with it, in memory too."""
    before = await e.run_record(house, "run-1")
    assert (await e.append_as_owner(house, "run-1", *events)).outcome == Out.APPEND_OUTCOME_INVALID
    assert await e.run_record(house, "run-1") == before
    assert (await e.append_as_owner(house, "run-1", e.step_started(1, step="b"))).outcome == Out.APPEND_OUTCOME_APPENDED


@pytest.mark.parametrize(
    "events",
    [
        [RunEvent(step_id="main", attempt=1, usage=Usage(output_tokens=2**64 - 1))] * 2,
        [RunEvent(signal=SignalTaken(signal_number=2**64 - 1))],
    ],
    ids=["usage that outgrows its sum", "the largest signal number"],
)
async def test_numbers_too_large_to_keep_spoil_their_own_entry_alone(house: House, events: list[RunEvent]) -> None:
    """An agent may claim to have used anything; the others whose entries share the call are none the worse for it."""
    spoilt = e.append_entry("run-1", *events, step="", writer="owner")
    results = await e.append(house, spoilt, e.append_entry("run-1", e.token()))
    assert [result.outcome for result in results] == [Out.APPEND_OUTCOME_INVALID, Out.APPEND_OUTCOME_APPENDED]


async def test_an_entry_needs_a_writer_and_a_number(house: House) -> None:
    """Without them a repeat could not be told from news."""
    nameless, numberless = e.append_entry("run-1", e.token(), writer=""), e.append_entry("run-1", e.token())
    numberless.writer_sequence = 0
    results = await e.append(house, nameless, numberless)
    assert [result.outcome for result in results] == [Out.APPEND_OUTCOME_INVALID] * 2


async def test_a_log_that_outgrows_its_cap_can_still_end(second_url: str) -> None:
    """OVER_CAP refuses more, also the small; the failure and the end of the run are taken."""
    async with open_house(StateSettings(url=second_url, max_log_events=4)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-2"))
        assert (await e.append_events(house, "run-2", *[e.token()] * 2)).outcome == Out.APPEND_OUTCOME_APPENDED
        assert (await e.append_events(house, "run-2", e.token())).outcome == Out.APPEND_OUTCOME_OVER_CAP
        failed = e.step_finished(outcome=StepOutcome.STEP_OUTCOME_FAILED)
        end = await e.append_as_owner(house, "run-2", failed, e.run_finished(RunState.RUN_STATE_FAILED))
        assert end.outcome == Out.APPEND_OUTCOME_APPENDED
        assert len(await e.read_log(house, "run-2")) == 6
