"""What the store reads out of a log while it is written."""

from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_event_pb2 import RunEvent, SignalTaken, StepOutcome, StepStarted, Waiting
from penstock.v1.run_pb2 import Content, RunState, Signal, Usage
from penstock.v1.session_pb2 import MessageRole, ReadMessagesRequest, SessionMessage
from tests.state import entries as e
from tests.state.house import House


async def test_a_run_gets_output_usage_and_times_from_its_events(house: House) -> None:
    """The output is that of the step that run_finished names, usage the sum of the increments."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    usage = RunEvent(step_id="main", attempt=1, usage=Usage(input_tokens=3, model_requests=1))
    await e.append_events(house, "run-1", usage, usage)
    result = await e.append_events(house, "run-1", e.step_finished(output="42"), e.run_finished(output_step="main"))
    record = await e.run_record(house, "run-1")
    run = record.run
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert [part.text for part in run.output] == ["42"]
    assert (run.usage.input_tokens, run.usage.model_requests) == (6, 2)
    assert run.create_time.ToMicroseconds() <= run.start_time.ToMicroseconds() <= run.finish_time.ToMicroseconds()
    assert (run.last_sequence, run.durable_sequence) == (result.last_sequence, result.last_sequence)
    step = record.steps[0]
    assert (step.outcome, step.finished_sequence) == (StepOutcome.STEP_OUTCOME_SUCCEEDED, result.first_sequence)
    only = await house.log.ReadRuns(
        pb.ReadRunsRequest(runs=[pb.RunName(tenant=e.TENANT, run_id="run-1")], run_only=True)
    )
    assert only.records[0] == pb.RunRecord(tenant=e.TENANT, run=run)


async def test_the_history_of_a_run_ends_before_its_own_first_message(house: House) -> None:
    """run_started tells where the history begins and ends; the record says the same."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    answer = SessionMessage(
        message_id="run-1:answer", role=MessageRole.MESSAGE_ROLE_ASSISTANT, content=[Content(text="yes")]
    )
    end = e.append_entry("run-1", e.step_finished(), e.run_finished(output_step="main"))
    end.session_messages.append(answer)
    await e.append(house, end, end)
    await e.record(house, e.record_entry("run-2", session="s"))
    assert (await e.read_log(house, "run-2"))[0].run_started.history_index == 2
    assert (await e.run_record(house, "run-2")).history_index == 2
    messages = await house.sessions.ReadMessages(ReadMessagesRequest(tenant=e.TENANT, session_id="s"))
    assert [message.message_id for message in messages.messages] == ["run-1:user", "run-1:answer", "run-2:user"]


async def test_a_run_waits_while_a_step_waits_and_none_is_at_work(house: House) -> None:
    """WAITING begins with the last open attempt's end, and ends with the waiting step."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    wait = [
        RunEvent(step_id="gate", attempt=1, step_started=StepStarted()),
        RunEvent(step_id="gate", attempt=1, waiting=Waiting(approval="really?")),
    ]
    await e.append_as_owner(house, "run-1", *wait)
    assert (await e.run_record(house, "run-1")).run.state == RunState.RUN_STATE_RUNNING
    await e.append_events(house, "run-1", e.step_finished())
    assert (await e.run_record(house, "run-1")).run.state == RunState.RUN_STATE_WAITING
    await e.append_as_owner(house, "run-1", e.step_finished(step="gate"))
    assert (await e.run_record(house, "run-1")).run.state == RunState.RUN_STATE_RUNNING


async def test_a_cancel_that_was_taken_in_stays_on_record(house: House) -> None:
    """Whoever takes the run over finds the cancel, and it is pending no longer."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    sent = await e.cancel(house, "run-1")
    taken = SignalTaken(signal_number=sent.signal_number, signal=Signal(cancel=Signal.Cancel(reason="enough")))
    await e.append_as_owner(house, "run-1", RunEvent(signal=taken))
    record = await e.run_record(house, "run-1")
    assert record.cancel.reason == "enough"
    assert not record.pending_signals


async def test_a_skipped_step_needs_no_beginning(house: House) -> None:
    """step_finished SKIPPED of a step that never started is taken from the owner."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    skipped = e.step_finished(0, step="other", outcome=StepOutcome.STEP_OUTCOME_SKIPPED)
    result = await e.append_as_owner(house, "run-1", skipped)
    assert result.outcome == pb.AppendOutcome.APPEND_OUTCOME_APPENDED
    assert [step.step_id for step in (await e.run_record(house, "run-1")).steps] == ["main", "other"]
