"""One attempt on the record: its work supervised, its end written in one append."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.executor.outcome import Failed, Lost, Outcome, Succeeded, Work, end_of, outcome_of, timed_out
from penstock.executor.stage import Stage
from penstock.run_log.refusal import AppendRefused, LogStalled
from penstock.run_log.run_writer import RunWriter
from penstock.v1 import executor_pb2, run_event_pb2, run_log_pb2, run_pb2, session_pb2
from penstock.wire.errors import Internal, PenstockError, ResourceExhausted, Unavailable

_LOGGER: Final = logging.getLogger("penstock.executor")
_TAKEN_OVER: Final = frozenset(
    {
        run_log_pb2.APPEND_OUTCOME_FENCED,
        run_log_pb2.APPEND_OUTCOME_ATTEMPT_CLOSED,
        run_log_pb2.APPEND_OUTCOME_STEP_FINISHED,
        run_log_pb2.APPEND_OUTCOME_RUN_FINISHED,
        run_log_pb2.APPEND_OUTCOME_NOT_FOUND,
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Represents how long the work may take, in seconds (None: no limit), and who asked."""

    seconds: float | None
    request_id: str


async def run_attempt(
    request: executor_pb2.ExecuteRequest, work: Work, writer: RunWriter, stage: Stage, limits: Limits
) -> executor_pb2.ExecuteResponse:
    """Runs the work, stops it when time is up or the log refuses it, and answers once its end is in the log.

    Raises:
        PenstockError: what came of the attempt is not known; Unavailable when the log did not answer.
    """
    try:
        outcome = await _supervise(work, writer, stage, limits, name=f"step {request.step_id} of {request.run_id}")
        if not isinstance(outcome, Lost):
            try:
                return await _write_end(request, outcome, writer)
            except (AppendRefused, LogStalled, PenstockError) as error:
                outcome = Lost(error)
        return _answer_lost(request, outcome.error)
    finally:
        writer.close()


async def _supervise(work: Work, writer: RunWriter, stage: Stage, limits: Limits, name: str) -> Outcome:
    task = stage.start(outcome_of(work, name, limits.request_id), name)
    async with asyncio.TaskGroup() as group:
        refused = group.create_task(writer.wait_refused(), name=f"{name}: refusal")
        try:
            await asyncio.wait({task, refused}, timeout=limits.seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if refused.done():
                return Lost(refused.result())
            return timed_out(limits.seconds or 0.0, limits.request_id)
        finally:
            refused.cancel()
            await stage.stop(task)


async def _write_end(
    request: executor_pb2.ExecuteRequest, outcome: Succeeded | Failed, writer: RunWriter
) -> executor_pb2.ExecuteResponse:
    response = executor_pb2.ExecuteResponse()
    events = [run_event_pb2.RunEvent(step_id=request.step_id, attempt=request.attempt, step_finished=end_of(outcome))]
    messages: list[session_pb2.SessionMessage] = []
    if isinstance(outcome, Failed):
        response.outcome = executor_pb2.EXECUTE_OUTCOME_FAILED
        response.error.CopyFrom(outcome.error)
    else:
        response.outcome = executor_pb2.EXECUTE_OUTCOME_SUCCEEDED
        response.output.extend(outcome.output)
        if request.finish_run:
            response.run_finished = True
            events.append(run_event_pb2.RunEvent(run_finished=_run_end(request.step_id)))
            messages = _answer_in_session(request, outcome.output)
    result = await writer.append(*events, session_messages=messages)
    response.last_sequence = result.last_sequence
    return response


def _run_end(step_id: str) -> run_event_pb2.RunFinished:
    return run_event_pb2.RunFinished(state=run_pb2.RUN_STATE_SUCCEEDED, output_step_id=step_id)


def _answer_in_session(
    request: executor_pb2.ExecuteRequest, output: Sequence[run_pb2.Content]
) -> list[session_pb2.SessionMessage]:
    if not request.session_id:
        return []
    return [
        session_pb2.SessionMessage(
            message_id=f"{request.run_id}:answer",
            role=session_pb2.MESSAGE_ROLE_ASSISTANT,
            content=output,
            run_id=request.run_id,
        )
    ]


def _answer_lost(request: executor_pb2.ExecuteRequest, error: Exception) -> executor_pb2.ExecuteResponse:
    facts = {"run_id": request.run_id}
    if isinstance(error, AppendRefused):
        if error.outcome in _TAKEN_OVER:
            _LOGGER.info("step %s of %s was stopped: %s", request.step_id, request.run_id, error)
            return executor_pb2.ExecuteResponse(outcome=executor_pb2.EXECUTE_OUTCOME_FENCED)
        if error.outcome == run_log_pb2.APPEND_OUTCOME_OVER_CAP:
            text = f"the log of run {request.run_id} is full"
            raise ResourceExhausted(text, reason="LOG_OVER_CAP", metadata=facts) from error
        _LOGGER.error("the log refused an event of step %s of %s: %s", request.step_id, request.run_id, error)
        raise Internal("the run's log refused an event", metadata=facts) from error
    if isinstance(error, LogStalled):
        text = "the run's log did not answer, so the attempt is lost"
        raise Unavailable(text, reason="LOG_STALLED", metadata=facts) from error
    raise error
