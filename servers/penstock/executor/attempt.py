"""One attempt on the record: its work supervised, its end written in one append."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.executor.outcome import Failed, Lost, Succeeded, Work, end_of, outcome_of, timed_out
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
    attempt = _Attempt(request, work, writer, limits)
    try:
        ended = await attempt.supervise(stage)
    finally:
        writer.close()
    return _answer_lost(request, ended.error) if isinstance(ended, Lost) else ended


class _Attempt:
    """Does the work and writes its end in one task: so the last tokens and the end are one append.

    working ──▶ ending     the end is on its way to the log; neither the time nor anyone can change it now
       └──────▶ timed out  the work is stopped first, then its end is written
    """

    def __init__(self, request: executor_pb2.ExecuteRequest, work: Work, writer: RunWriter, limits: Limits) -> None:
        self._request = request
        self._work = work
        self._writer = writer
        self._limits = limits
        self._name = f"step {request.step_id} of {request.run_id}"
        self._ending = False
        self._given_up = False

    async def supervise(self, stage: Stage) -> executor_pb2.ExecuteResponse | Lost:
        """Returns the answer, or why what came of the attempt is not known."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        def notice(_: object = None) -> None:
            if not over.done():
                over.set_result(None)

        task = stage.start(self._do(), self._name)
        task.add_done_callback(notice)
        self._writer.on_failed(notice)
        timer = None if self._limits.seconds is None else loop.call_later(self._limits.seconds, notice)
        try:
            await over
            if self._ending and not task.done():
                await asyncio.wait({task})
            if task.done():
                return task.result()
            if self._writer.error is not None:
                return Lost(self._writer.error)
        finally:
            if timer is not None:
                timer.cancel()
            self._given_up = not task.done()
            await stage.stop(task)
        return await self._write(timed_out(self._limits.seconds or 0.0, self._limits.request_id))

    async def _do(self) -> executor_pb2.ExecuteResponse | Lost:
        outcome = await outcome_of(self._work, self._name, self._limits.request_id)
        if isinstance(outcome, Lost):
            return outcome
        if self._given_up:
            # It swallowed its cancellation; nobody waits for it, and its end is written.
            return Lost(TimeoutError(f"{self._name} was given up before it ended"))
        self._ending = True
        return await self._write(outcome)

    async def _write(self, outcome: Succeeded | Failed) -> executor_pb2.ExecuteResponse | Lost:
        try:
            return await _write_end(self._request, outcome, self._writer)
        except (AppendRefused, LogStalled, PenstockError) as error:
            return Lost(error)


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
