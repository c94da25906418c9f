"""Every run that an orchestrator owns comes to exactly one end, whatever is lost or late on the way."""

import asyncio

import grpc
from google.protobuf.duration_pb2 import Duration

from penstock.orchestrator.settings import OrchestratorSettings
from penstock.orchestrator.values import Results
from penstock.v1 import run_event_pb2 as events
from penstock.v1.plan_pb2 import AgentStep, Plan, RetryPolicy, Step
from penstock.v1.run_event_pb2 import RunEvent, StepFinished
from penstock.v1.run_log_pb2 import APPEND_OUTCOME_APPENDED, AppendEventsEntry, AppendEventsRequest
from penstock.v1.run_pb2 import RUN_STATE_CANCELLED, RUN_STATE_FAILED, RUN_STATE_SUCCEEDED, Content, Signal
from penstock.wire.references import JsonValue
from penstock.wire.status import failed_status, reason_of
from tests.orchestrator.site import kinds, open_all
from tests.run_log.faulty_state import TENANT, FaultyState


def two_steps(first: str = "echo", second: str = "echo", **fields: object) -> Plan:
    """Makes a plan whose second step says what the first has said, once more."""
    return Plan(
        steps=[
            Step(step_id="one", agent=AgentStep(agent=first), **fields),
            Step(step_id="two", agent=AgentStep(agent=second, task="again: ${steps.one.output}")),
        ]
    )


async def test_a_run_of_one_step_begins_with_its_record_and_ends_with_its_last_append(site):
    """One call records, claims and starts it."""
    assert (await site.start("r", agent="echo")).created
    end, log = await site.ended("r")
    assert end.state == RUN_STATE_SUCCEEDED
    assert kinds(log) == ["run_started", "step_started", "token", "step_finished", "run_finished"]
    assert site.state.wire.calls["RecordRuns"] == 1


async def test_a_failed_step_is_rewound_and_tried_again_as_its_plan_says(site, scene):
    """One rewind, from the first attempt's beginning."""
    retry = RetryPolicy(max_attempts=2)
    retry.initial_backoff.FromMilliseconds(1)
    plan = Plan(steps=[Step(step_id="one", agent=AgentStep(agent="second_time_lucky"), retry=retry)])
    await site.start_plan("r", plan)
    end, log = await site.ended("r")
    assert (end.state, scene.runs) == (RUN_STATE_SUCCEEDED, 2)
    assert kinds(log)[2:5] == ["step_finished", "rewind", "step_started"]
    assert log[3].rewind.from_sequence == 2


async def append_end(state: FaultyState, outcome: events.StepOutcome, step_id: str = "one") -> None:
    """Appends the end of a step's first attempt, as its executor does."""
    finished = StepFinished(outcome=outcome)
    if outcome == events.STEP_OUTCOME_SUCCEEDED:
        finished.output.add(text="late")
    else:
        finished.error.CopyFrom(failed_status(grpc.StatusCode.INTERNAL, "late failure", "LATE"))
    entry = AppendEventsEntry(
        tenant=TENANT,
        run_id="r",
        epoch=1,
        step_id=step_id,
        attempt=1,
        writer_id="the-executor",
        writer_sequence=1,
        events=[RunEvent(step_id=step_id, attempt=1, step_finished=finished)],
    )
    answer = await state.log.AppendEvents(AppendEventsRequest(entries=[entry]))
    assert answer.results[0].outcome == APPEND_OUTCOME_APPENDED, answer


async def test_a_lost_executor_is_followed_by_a_rewind_and_another_attempt(site, scene):
    """Which is no failure of the step."""
    gate = site.to_executor.hold("Check")
    site.to_executor.refuse["Execute"] = 1
    await site.start_plan("r", two_steps())
    await gate.arrived.wait()
    site.to_executor.let_go("Check")
    end, log = await site.ended("r")
    assert end.state == RUN_STATE_SUCCEEDED
    assert kinds(log)[1:4] == ["step_started", "rewind", "step_started"]


async def test_an_attempt_whose_answer_was_lost_after_its_end_is_taken_from_the_log(site, scene):
    """The step is not run again, and the next one sees its output."""
    site.to_executor.lose["Execute"] = 1
    await site.start_plan("r", two_steps())
    end, log = await site.ended("r")
    assert (end.state, scene.runs) == (RUN_STATE_SUCCEEDED, 2)
    assert "rewind" not in kinds(log)
    assert [event.token.text for event in log if event.HasField("token")] == ["task", "again: task"]


async def test_a_late_success_of_a_lost_executor_counts_and_the_plan_goes_on(site, scene):
    """Its last append comes after the log was read, and before the owner's rewind."""
    gate = site.to_executor.hold("Check")
    site.to_executor.refuse["Execute"] = 1
    await site.start_plan("r", two_steps())
    await gate.arrived.wait()
    await append_end(site.state, events.STEP_OUTCOME_SUCCEEDED)
    site.to_executor.let_go("Check")
    end, log = await site.ended("r")
    assert (end.state, scene.runs) == (RUN_STATE_SUCCEEDED, 1)
    assert "rewind" not in kinds(log)
    assert [event.token.text for event in log if event.HasField("token")] == ["again: late"]


async def test_a_late_failure_of_a_lost_executor_ends_the_run_with_its_own_error(tmp_path):
    """Also when the owner was about to record a loss: the attempt is closed, and the run must not hang."""
    settings = OrchestratorSettings(executor_wait_seconds=0.2)
    async with asyncio.timeout(20), open_all(tmp_path, settings) as site:
        gate = site.to_executor.hold("Check")
        site.to_executor.refuse["Execute"] = 1
        await site.start_plan("r", two_steps())
        await gate.arrived.wait()
        await append_end(site.state, events.STEP_OUTCOME_FAILED)
        end, _ = await site.ended("r")
        site.to_executor.let_go("Check")
        assert (end.state, reason_of(end.error)) == (RUN_STATE_FAILED, "LATE")


async def test_a_cancel_that_meets_the_end_of_a_step_cancels_the_run(site):
    """The step has succeeded already, and its executor's answer is still on the way."""
    gate = site.to_executor.hold("Execute")
    await site.start_plan("r", two_steps())
    await gate.arrived.wait()
    await append_end(site.state, events.STEP_OUTCOME_SUCCEEDED)
    await site.state.cancel("r", "no more")
    end, log = await site.ended("r")
    site.to_executor.let_go("Execute")
    assert (end.state, end.error.message) == (RUN_STATE_CANCELLED, "the run was cancelled: no more")
    assert kinds(log) == ["run_started", "step_started", "step_finished", "signal", "run_finished"]


async def test_a_cancel_in_mid_step_closes_the_attempt_and_ends_the_run(site, scene):
    """The executor's work ends with it."""
    await site.start("r", agent="waits")
    await scene.started.wait()
    await site.state.cancel("r")
    end, log = await site.ended("r")
    assert end.state == RUN_STATE_CANCELLED
    assert kinds(log)[-3:] == ["signal", "step_finished", "run_finished"]
    assert log[-2].step_finished.outcome == events.STEP_OUTCOME_CANCELLED


async def test_approvals_and_input_that_nothing_waits_for_change_nothing_in_a_run(site, scene):
    """They stay pending and are no events of the log; the run goes on, and a cancel behind them is heard."""
    approval = Signal(approval=Signal.Approval(step_id="main", approved=True))
    given = Signal(input=Signal.Input(name="more", content=[Content(text="words")]))
    for run_id in ("goes-on", "is-cancelled"):
        await site.start(run_id, agent="waits")
        await scene.started.wait()
        scene.started.clear()
        assert (await site.state.signal(run_id, "approval", approval)).signal_number == 1
        assert (await site.state.signal(run_id, "input", given)).signal_number == 2
    await site.state.cancel("is-cancelled")
    cancelled, log = await site.ended("is-cancelled")
    assert cancelled.state == RUN_STATE_CANCELLED
    assert [event.signal.signal_number for event in log if event.HasField("signal")] == [3]
    record = await site.state.read("goes-on")
    assert [pending.signal_number for pending in record.pending_signals] == [1, 2]
    scene.go_on.set()
    end, log = await site.ended("goes-on")
    assert end.state == RUN_STATE_SUCCEEDED
    assert "signal" not in kinds(log)
    assert not (await site.state.read("goes-on")).pending_signals


async def test_a_fault_of_the_driver_fails_its_run_with_a_fixed_text(site, monkeypatch):
    """A run must not hang on an owner that is broken; others go on."""

    def broken(results: Results, value: JsonValue) -> JsonValue:
        raise KeyError("a secret")

    with monkeypatch.context() as planted:
        planted.setattr(Results, "fill", broken)
        await site.start_plan("r", Plan(steps=[Step(step_id="one", agent=AgentStep(agent="echo", task="hello"))]))
        end, log = await site.ended("r")
    assert (end.state, reason_of(end.error)) == (RUN_STATE_FAILED, "DRIVER_FAILED")
    assert "secret" not in str(end)
    assert kinds(log) == ["run_started", "step_started", "step_finished", "run_finished"]
    await site.start("other", agent="echo")
    assert (await site.ended("other"))[0].state == RUN_STATE_SUCCEEDED


async def test_the_deadline_ends_a_run_in_mid_step(site, scene):
    """FAILED, with the attempt closed."""
    timeout = Duration()
    timeout.FromMilliseconds(300)
    await site.start("r", agent="waits", timeout=timeout)
    end, log = await site.ended("r")
    assert (end.state, reason_of(end.error)) == (RUN_STATE_FAILED, "RUN_DEADLINE")
    assert kinds(log)[-2:] == ["step_finished", "run_finished"]
