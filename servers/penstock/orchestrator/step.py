"""One step of a run, through as many attempts as it takes."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import Final

import grpc
from google.rpc.status_pb2 import Status

from penstock.orchestrator import endings
from penstock.orchestrator.attempt import Attempts, Lost, Refused
from penstock.orchestrator.availability import Availability
from penstock.orchestrator.outcome import Failed, Succeeded
from penstock.orchestrator.owner_log import OwnerLog
from penstock.orchestrator.retry import may_retry, pause_before
from penstock.orchestrator.settings import OrchestratorSettings
from penstock.orchestrator.values import Results, from_message, to_text
from penstock.run_log.refusal import AppendRefused
from penstock.v1 import run_event_pb2
from penstock.v1.executor_pb2 import AgentWork, ExecuteRequest, StepResult, ToolWork
from penstock.v1.plan_pb2 import Step
from penstock.v1.run_log_pb2 import (
    APPEND_OUTCOME_ATTEMPT_CLOSED,
    APPEND_OUTCOME_RUN_FINISHED,
    APPEND_OUTCOME_STEP_FINISHED,
    RunRecord,
)
from penstock.wire.errors import DeadlineExceeded, PenstockError, ResourceExhausted
from penstock.wire.status import failed_status, to_status

logger = logging.getLogger(__name__)

_MOST_RESULT_BYTES: Final = 2 * 1024 * 1024

# So the log answers an owner who comes after the last append of an executor that was thought lost.
_ENDED_ALREADY: Final = frozenset(
    {APPEND_OUTCOME_STEP_FINISHED, APPEND_OUTCOME_ATTEMPT_CLOSED, APPEND_OUTCOME_RUN_FINISHED}
)


@dataclass(slots=True)
class OpenAttempt:
    """Represents the attempt that the log takes events of now, and where it began."""

    step_id: str
    attempt: int
    started_sequence: int


class StepDriver:
    """Drives the steps of one run, one after another; `open_attempt` says which attempt is open in the log."""

    def __init__(
        self,
        record: RunRecord,
        log: OwnerLog,
        attempts: Attempts,
        availability: Availability,
        settings: OrchestratorSettings,
    ) -> None:
        self._record = record
        self._log = log
        self._attempts = attempts
        self._availability = availability
        self._settings = settings
        self._results = Results(record.run.input)
        self.open_attempt: OpenAttempt | None = None

    async def drive(self, step: Step, *, last: bool) -> Succeeded | Failed:
        """Drives a step to its end; a failure is recorded when this returns.

        Raises:
            TakenOver: another drives the run, or it is over.
            AppendRefused: the log refused what this owner wrote.
            PenstockError: the log can't be read.
        """
        try:
            request = self._request(step, last=last)
        except PenstockError as error:
            if self.open_attempt is None:
                await self._open(step, 1)
            return await self._fail(step, to_status(error))
        current = self.open_attempt
        if current is None or current.step_id != step.step_id:
            current = await self._open(step, 1)
        losses = failures = 0
        timeout = self._timeout(step)
        while True:
            request.attempt = current.attempt
            result = await self._attempts.make(self._record.tenant, request, timeout)
            match result:
                case Succeeded():
                    return self._succeed(step, result)
                case Refused():
                    return await self._fail(step, to_status(result.error))
                case Lost():
                    losses += 1
                    cause = _loss_status(result.error)
                    logger.warning("lost an executor of run %s: %s", self._record.run.run_id, result.error.message)
                    if isinstance(result.error, DeadlineExceeded) or losses >= self._settings.lost_attempts:
                        return await self._fail(step, cause)
                    if not await self._availability.wait(self._settings.executor_wait_seconds):
                        return await self._fail(step, cause)
                case Failed():
                    failures += 1
                    cause = result.error
                    self.open_attempt = None
                    if not may_retry(step.retry, failures, cause):
                        return result
                    await asyncio.sleep(pause_before(step.retry, failures, cause))
            opened = await self._rewind(step, current, cause)
            if not isinstance(opened, OpenAttempt):
                return opened
            current = opened

    def _succeed(self, step: Step, result: Succeeded) -> Succeeded:
        self.open_attempt = None
        self._results.outputs[step.step_id] = result.output
        return result

    async def _open(self, step: Step, attempt: int) -> OpenAttempt:
        appended = await self._log.append(endings.step_started(step, attempt))
        self.open_attempt = OpenAttempt(step.step_id, attempt, appended.last_sequence)
        return self.open_attempt

    async def _rewind(self, step: Step, lost: OpenAttempt, cause: Status) -> OpenAttempt | Succeeded | Failed:
        try:
            appended = await self._log.append(
                endings.rewind(lost.step_id, lost.attempt, lost.started_sequence, cause),
                endings.step_started(step, lost.attempt + 1),
            )
        except AppendRefused as refused:
            return await self._late_end(step, refused, lost)
        self.open_attempt = OpenAttempt(lost.step_id, lost.attempt + 1, appended.last_sequence)
        return self.open_attempt

    async def _fail(self, step: Step, error: Status) -> Succeeded | Failed:
        attempt = self.open_attempt
        assert attempt is not None  # a step fails in an attempt
        try:
            await self._log.append(
                endings.step_finished(attempt.step_id, attempt.attempt, run_event_pb2.STEP_OUTCOME_FAILED, error)
            )
        except AppendRefused as refused:
            return await self._late_end(step, refused, attempt)
        self.open_attempt = None
        return Failed(error)

    async def _late_end(self, step: Step, refused: AppendRefused, attempt: OpenAttempt) -> Succeeded | Failed:
        """Takes what the lost executor's last append says, which came after the log was read."""
        self.open_attempt = None
        ended = None
        if refused.outcome in _ENDED_ALREADY:
            run_id = self._record.run.run_id
            ended = await self._attempts.recorded(self._record.tenant, run_id, attempt.step_id, attempt.attempt)
        if ended is None:
            raise refused
        return self._succeed(step, ended) if isinstance(ended, Succeeded) else ended

    def _timeout(self, step: Step) -> float:
        if step.HasField("timeout"):
            return step.timeout.ToNanoseconds() / 1e9
        return self._settings.step_timeout_seconds

    def _request(self, step: Step, *, last: bool) -> ExecuteRequest:
        run = self._record.run
        request = ExecuteRequest(
            run_id=run.run_id,
            epoch=self._record.epoch,
            step_id=step.step_id,
            input=run.input,
            session_id=run.session_id,
            history_index=self._record.history_index,
            history_first_index=self._record.history_first_index,
            durability=run.durability,
            finish_run=last,
            results=[StepResult(step_id=name, output=output) for name, output in self._results.outputs.items()],
        )
        if self._results.size() > _MOST_RESULT_BYTES:
            raise ResourceExhausted(
                f"the results of the steps before {step.step_id!r} are larger than 2 MiB together",
                reason="RESULTS_TOO_LARGE",
            )
        if step.HasField("agent"):
            task = to_text(self._results.fill(step.agent.task)) if step.agent.task else ""
            request.agent.CopyFrom(AgentWork(agent=step.agent.agent, task=task))
        else:
            arguments = self._results.fill(from_message(step.tool.arguments)) or {}
            request.tool.CopyFrom(
                ToolWork(tool=step.tool.tool, arguments_json=json.dumps(arguments, ensure_ascii=False))
            )
        return request


def _loss_status(error: PenstockError) -> Status:
    if isinstance(error, DeadlineExceeded):
        return failed_status(grpc.StatusCode.DEADLINE_EXCEEDED, "the step's time ran out", "STEP_TIMEOUT")
    return failed_status(grpc.StatusCode.UNAVAILABLE, "the step's executor was lost", "EXECUTOR_LOST")
