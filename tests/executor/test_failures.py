"""Attempts that fail, are stopped, or are lost."""

import asyncio

import grpc
import pytest
import sample_agents

from penstock.v1 import executor_pb2 as executor
from penstock.v1 import run_event_pb2 as events
from penstock.v1.executor_pb2 import AgentWork
from penstock.wire.errors import Unavailable
from penstock.wire.status import from_rpc_error, from_status, reason_of

FIXED = "the agent failed; the server's log has the details under request id req-1"


@pytest.mark.parametrize(
    "agent",
    [
        "raises",
        "exits",
        "interrupts",
        "cancels_itself",
        "yields_wrong",
        "yields_surrogate",
        "outputs_nan",
        "outputs_deep",
    ],
)
async def test_whatever_an_agent_does_its_failure_is_an_outcome_with_a_fixed_text(mesh, agent):
    """Exceptions, exit requests and nonsense yields: the call is OK, the step FAILED, and the server lives on."""
    answer = await mesh.run("r1", agent)
    assert answer.outcome == executor.EXECUTE_OUTCOME_FAILED
    assert (answer.error.code, answer.error.message) == (grpc.StatusCode.INTERNAL.value[0], FIXED)
    error = from_status(answer.error)
    assert (error.reason, error.metadata) == ("AGENT_FAILED", {"request_id": "req-1"})
    end = (await mesh.events("r1"))[-1]
    assert (end.step_finished.outcome, end.step_finished.error) == (events.STEP_OUTCOME_FAILED, answer.error)
    assert end.sequence == answer.last_sequence
    assert (await mesh.run("r2", "words", "still here")).outcome == executor.EXECUTE_OUTCOME_SUCCEEDED


async def test_the_text_of_an_agents_exception_is_in_the_log_and_nowhere_else(mesh, caplog):
    """Tracebacks are for operators."""
    answer = await mesh.run("r1", "raises", finish_run=True)
    assert "secret-password" in caplog.text
    assert "secret-password" not in str(answer) + str(await mesh.events("r1"))
    assert not answer.run_finished


async def test_the_author_is_told_what_was_yielded(mesh, caplog):
    """In the log, with the type."""
    await mesh.run("r1", "yields_wrong")
    assert "the agent yielded a dict; yield str for text" in caplog.text


async def test_an_agent_can_fail_in_words_of_its_own(mesh):
    """AgentError's text and reason reach the caller."""
    answer = await mesh.run("r1", "explains")
    assert answer.error.message == "the text is in no language I know"
    assert reason_of(answer.error) == "LANGUAGE"


async def test_an_output_that_no_event_can_carry_is_a_failure_that_says_so(mesh):
    """The limit is named."""
    answer = await mesh.run("r1", "too_long")
    assert (answer.outcome, reason_of(answer.error)) == (executor.EXECUTE_OUTCOME_FAILED, "OUTPUT_TOO_LARGE")
    assert "1048576 bytes" in answer.error.message


@pytest.mark.parametrize("agent", ["waits", "stubborn"])
async def test_an_attempt_that_uses_up_its_time_is_recorded_as_such(mesh, agent):
    """Also when the agent swallows its cancellation."""
    await mesh.record("r1")
    request = mesh.request("r1", AgentWork(agent=agent, task="x"))
    request.timeout.FromMilliseconds(50)
    answer = await mesh.execute(request)
    assert answer.outcome == executor.EXECUTE_OUTCOME_FAILED
    assert reason_of(answer.error) == "STEP_TIMEOUT"
    assert answer.error.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
    assert sample_agents.scene.ended.is_set()
    sample_agents.scene.go_on.set()
    assert (await mesh.events("r1"))[-1].step_finished.error == answer.error


async def test_without_a_timeout_the_calls_deadline_is_the_attempts(mesh):
    """And still the timeout is recorded, just before the call would break off."""
    for run_id, seconds in (("r1", 0.5), ("r2", 2.0), ("r3", 8.0)):
        await mesh.record(run_id)
        try:
            answer = await mesh.execute(mesh.request(run_id, AgentWork(agent="waits", task="x")), timeout=seconds)
            break
        except grpc.aio.AioRpcError as error:
            # A tenth of the time is kept for the answer: a busy machine may need more than that.
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED or run_id == "r3":
                raise
    assert reason_of(answer.error) == "STEP_TIMEOUT"


async def test_cancelling_the_call_stops_the_agent_and_writes_no_end(mesh):
    """The end is the owner's to write."""
    await mesh.record("r1")
    async with asyncio.timeout(5):
        ongoing = asyncio.ensure_future(mesh.execute(mesh.request("r1", AgentWork(agent="waits", task="x"))))
        await sample_agents.scene.started.wait()
        ongoing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ongoing
        await sample_agents.scene.ended.wait()
    assert "step_finished" not in [event.WhichOneof("event") for event in await mesh.events("r1")]


async def test_an_attempt_that_was_replaced_is_stopped(mesh):
    """The log refuses it, the agent is cancelled, and the owner hears FENCED."""
    await mesh.record("r1")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        request = mesh.request("r1", AgentWork(agent="streams_for_ever", task="x"))
        zombie = group.create_task(mesh.execute(request))
        await sample_agents.scene.started.wait()
        await mesh.open_attempt("r1", 2)
    assert zombie.result().outcome == executor.EXECUTE_OUTCOME_FENCED
    assert sample_agents.scene.ended.is_set()
    log = await mesh.events("r1")
    replaced = next(event.sequence for event in log if event.attempt == 2)
    assert all(event.attempt != 1 for event in log if event.sequence > replaced)


@pytest.mark.parametrize("fields", [{"epoch": 7}, {"attempt": 2}, {"step_id": "other"}])
@pytest.mark.parametrize("agent", ["words", "waits"])
async def test_an_attempt_that_is_not_open_can_write_nothing(mesh, fields, agent):
    """Wrong epoch, wrong attempt, wrong step; an agent that is quiet after its first word is stopped too."""
    await mesh.record("r1")
    fields = {"attempt": 1, **fields}
    answer = await mesh.execute(mesh.request("r1", AgentWork(agent=agent, task="x"), **fields))
    assert answer.outcome == executor.EXECUTE_OUTCOME_FENCED
    assert len(await mesh.events("r1")) == 2


async def test_an_attempt_whose_record_can_not_be_read_is_lost_and_not_failed(mesh):
    """The state layer is away: UNAVAILABLE, so that the owner looks into the log."""
    await mesh.record("r1")
    await mesh.stop_state()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await mesh.execute(mesh.request("r1", AgentWork(agent="words"), attempt=2))
    assert isinstance(from_rpc_error(caught.value), Unavailable)


@pytest.mark.parametrize("log_patience", [0.5])
async def test_an_attempt_whose_log_goes_silent_blocks_then_gives_up_and_is_lost(mesh):
    """The agent waits for the log, then is stopped, and the call fails with UNAVAILABLE."""
    await mesh.record("r1")
    async with asyncio.timeout(8):
        request = mesh.request("r1", AgentWork(agent="floods", task="x"))
        ongoing = asyncio.ensure_future(mesh.execute(request))
        await mesh.wait_for("r1", "token")
        await mesh.stop_state()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ongoing
    error = from_rpc_error(caught.value)
    assert isinstance(error, Unavailable)
    assert (error.reason, error.metadata["run_id"]) == ("LOG_STALLED", "r1")
    assert error.retry_after is not None
    assert sample_agents.scene.ended.is_set()
