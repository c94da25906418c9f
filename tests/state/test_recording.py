"""Recording runs: create-or-get, and what a busy session means."""

import pytest

from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_pb2 import Durability, OnBusy, RunState
from penstock.v1.session_pb2 import ReadMessagesRequest, ReadSessionRequest
from penstock.wire.status import reason_of
from tests.state import entries as e
from tests.state.house import House
from tests.stores.kinds import Kind


async def test_a_run_is_recorded_claimed_and_started_in_one_step(house: House) -> None:
    """One call leaves a RUNNING run with its owner, its first events and its user's message."""
    await e.lease(house)
    result = await e.record(house, e.record_entry("run-1", session="s"))
    assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_STARTED
    assert result.durable
    assert result.record == await e.run_record(house, "run-1")
    record = result.record
    assert (record.run.state, record.epoch, record.owner_instance_id) == (RunState.RUN_STATE_RUNNING, 1, e.OWNER)
    assert (record.run.last_sequence, record.run.durable_sequence) == (2, 2)
    assert record.run.input[0].text == "do it"
    assert not record.spec.input
    assert e.kinds(await e.read_log(house, "run-1")) == ["run_started", "step_started"]
    messages = await house.sessions.ReadMessages(ReadMessagesRequest(tenant=e.TENANT, session_id="s"))
    assert [message.message_id for message in messages.messages] == ["run-1:user"]


async def test_a_repeat_gets_the_run_that_is_there_and_starts_nothing(house: House) -> None:
    """The same spec is EXISTING, key, timeout and unset enums apart; another one DIFFERS."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    repeat = e.record_entry("run-1", on_busy=OnBusy.ON_BUSY_ENQUEUE, timeout=5.0)
    repeat.spec.durability = Durability.DURABILITY_PROCESS
    repeat.spec.idempotency_key = "key"
    result = await e.record(house, repeat)
    assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_EXISTING
    assert result.record == await e.run_record(house, "run-1")
    other = await e.record(house, e.record_entry("run-1", text="do something else"))
    assert other.outcome == pb.RecordOutcome.RECORD_OUTCOME_DIFFERS
    assert len(await e.read_log(house, "run-1")) == 2


async def test_a_second_run_of_a_session_waits_for_its_turn(house: House) -> None:
    """ENQUEUE records it without events, owner and message; the end of the first makes it claimable."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    result = await e.record(house, e.record_entry("run-2", session="s"))
    assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_QUEUED
    assert not result.record.owner_instance_id
    assert await e.read_log(house, "run-2") == []
    assert not (await e.claim(house)).runs
    session = (await house.sessions.ReadSession(ReadSessionRequest(tenant=e.TENANT, session_id="s"))).session
    assert (session.active_run_id, session.queued_runs, session.next_index) == ("run-1", 1, 1)
    await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    claimed = (await e.claim(house)).runs
    assert [run.record.run.run_id for run in claimed] == ["run-2"]
    assert claimed[0].record.epoch == 1


async def test_a_run_that_is_rejected_leaves_nothing(house: House) -> None:
    """REJECT answers SESSION_BUSY with the run that is going on, and takes neither the id nor anything else."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    result = await e.record(house, e.record_entry("run-2", session="s", on_busy=OnBusy.ON_BUSY_REJECT))
    assert (result.outcome, result.busy_run_id) == (pb.RecordOutcome.RECORD_OUTCOME_SESSION_BUSY, "run-1")
    response = await house.log.ReadRuns(pb.ReadRunsRequest(runs=[pb.RunName(tenant=e.TENANT, run_id="run-2")]))
    assert not response.records
    free = await e.record(house, e.record_entry("run-2", session="other", on_busy=OnBusy.ON_BUSY_REJECT))
    assert free.outcome == pb.RecordOutcome.RECORD_OUTCOME_STARTED


async def test_an_interrupting_run_ends_the_queue_and_cancels_what_goes_on(house: House) -> None:
    """Queued runs end CANCELLED with one event each; the running one gets a durable cancel; the new one is next."""
    await e.lease(house)
    for run_id in ("run-1", "run-2", "run-3"):
        await e.record(house, e.record_entry(run_id, session="s"))
    result = await e.record(house, e.record_entry("run-4", session="s", on_busy=OnBusy.ON_BUSY_INTERRUPT))
    assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_QUEUED
    assert list(result.interrupted_run_ids) == ["run-1", "run-2", "run-3"]
    for run_id in ("run-2", "run-3"):
        assert e.kinds(await e.read_log(house, run_id)) == ["run_finished"]
        assert (await e.run_record(house, run_id)).run.state == RunState.RUN_STATE_CANCELLED
    pending = (await e.run_record(house, "run-1")).pending_signals
    assert [signal.signal.WhichOneof("kind") for signal in pending] == ["cancel"]
    await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_CANCELLED))
    assert [run.record.run.run_id for run in (await e.claim(house)).runs] == ["run-4"]


@pytest.mark.parametrize(
    ("level", "kept_by"), [(Durability.DURABILITY_POWER, "sqlite-full"), (Durability.DURABILITY_REPLICA, "cluster")]
)
async def test_a_durability_that_the_store_does_not_keep_is_refused(
    house: House, kind: Kind, level: Durability, kept_by: str
) -> None:
    """The refusal says what there is; the store that keeps it takes the run."""
    await e.lease(house)
    entry = e.record_entry("run-1")
    entry.spec.durability = level
    result = await e.record(house, entry)
    if kind.store == kept_by:
        assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_STARTED
        return
    assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_REFUSED
    assert reason_of(result.refusal) == "DURABILITY_UNSUPPORTED"
    assert f" and not {Durability.Name(level).removeprefix('DURABILITY_')}, which needs " in result.refusal.message


async def test_a_level_that_this_store_has_never_heard_of_is_refused_alone(house: House) -> None:
    """A newer caller may know more levels of durability; its neighbours in the call are recorded."""
    await e.lease(house)
    newer = e.record_entry("run-1")
    newer.spec.durability = 99  # type: ignore[assignment] # a number that no name stands for
    response = await house.log.RecordRuns(pb.RecordRunsRequest(entries=[newer, e.record_entry("run-2")]))
    refused, recorded = response.results
    assert refused.outcome == pb.RecordOutcome.RECORD_OUTCOME_REFUSED
    assert "spec.durability" in refused.refusal.message
    assert recorded.outcome == pb.RecordOutcome.RECORD_OUTCOME_STARTED


async def test_a_run_whose_owner_has_no_lease_is_queued_for_anyone(house: House) -> None:
    """Without a lease nothing starts, and the run is there to be claimed."""
    result = await e.record(house, e.record_entry("run-1"))
    assert result.outcome == pb.RecordOutcome.RECORD_OUTCOME_QUEUED
    await e.lease(house, "another")
    assert [run.record.run.run_id for run in (await e.claim(house, "another")).runs] == ["run-1"]


async def test_a_malformed_entry_is_refused_alone(house: House) -> None:
    """What is wrong with one entry of a batch is no matter of the others."""
    await e.lease(house)
    good, bad, wrong = e.record_entry("run-1"), e.record_entry("run 2"), e.record_entry("run-3")
    wrong.events.append(e.token(attempt=7))
    response = await house.log.RecordRuns(pb.RecordRunsRequest(entries=[bad, wrong, good]))
    outcomes = [result.outcome for result in response.results]
    refused, begun = pb.RecordOutcome.RECORD_OUTCOME_REFUSED, pb.RecordOutcome.RECORD_OUTCOME_STARTED
    assert outcomes == [refused, refused, begun]
    assert "run_id" in response.results[0].refusal.message
    found = await house.log.FindRuns(pb.FindRunsRequest(tenant=e.TENANT))
    assert [run.run_id for run in found.runs] == ["run-1"]
