"""One run, from its first step to its one terminal event."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import grpc
from google.rpc.status_pb2 import Status

from penstock.orchestrator import endings
from penstock.orchestrator.attempt import Attempts
from penstock.orchestrator.availability import Availability
from penstock.orchestrator.outcome import Failed, NotEnded, Succeeded
from penstock.orchestrator.owner_log import OwnerLog
from penstock.orchestrator.run_telemetry import ended
from penstock.orchestrator.settings import OrchestratorSettings
from penstock.orchestrator.step import OpenAttempt, StepDriver
from penstock.run_log.refusal import AppendRefused
from penstock.v1 import run_event_pb2
from penstock.v1.run_event_pb2 import RunEvent, SignalTaken
from penstock.v1.run_log_pb2 import TAIL_INCLUDE_SIGNALS, PendingSignal, RunRecord
from penstock.v1.run_pb2 import RUN_STATE_SUCCEEDED
from penstock.v1.session_pb2 import SessionMessage
from penstock.wire.errors import DataLoss, PenstockError
from penstock.wire.status import failed_status, to_status

if TYPE_CHECKING:
    from penstock.run_log.reader import LogReader
    from penstock.run_log.tail import Tail
    from penstock.run_log.writer import LogWriter

logger = logging.getLogger(__name__)

# Most runs are over sooner; a signal is durable and loses nothing by being looked for a moment later.
_SIGNALS_AFTER_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The run is to be cancelled, by this signal."""

    signal: PendingSignal


@dataclass(frozen=True, slots=True)
class Driving:
    """What the drivers of all runs of this process share."""

    log: LogWriter
    reader: LogReader
    attempts: Attempts
    availability: Availability
    settings: OrchestratorSettings
    group: asyncio.TaskGroup


class RunDriver:
    """Drives one run that this process owns.

    steps ──▶ succeeded          the executor ended the run with its last step
      ├─────▶ failed             a step failed for good
      ├─────▶ cancelled          a signal came
      ├─────▶ out of time        the run's deadline came
      └─────▶ stopped            the log refused this owner, or something failed: whoever drives it looks at the run
    """

    def __init__(self, driving: Driving, record: RunRecord) -> None:
        self._driving = driving
        self._record = record
        self._log = OwnerLog(driving.log, record)
        self._steps = StepDriver(record, self._log, driving.attempts, driving.availability, driving.settings)
        if record.steps and record.steps[-1].open:
            step = record.steps[-1]
            self._steps.open_attempt = OpenAttempt(step.step_id, step.attempt, step.started_sequence)
        self._stopped_by: Cancelled | Exception | None = None

    async def drive(self) -> None:
        """Drives the run to its end.

        Raises:
            TakenOver: another drives the run, or it is over.
            AppendRefused: the log refused what this owner wrote.
            NotEnded: the log refused the run's end.
            PenstockError: the log or an executor answers in a way that no waiting mends.
        """
        try:
            await self._end(await self._race())
        finally:
            self._log.close()

    async def _race(self) -> Succeeded | Failed | Cancelled:
        loop = asyncio.get_running_loop()
        watching: asyncio.Task[None] | None = None

        def watch() -> None:
            nonlocal watching
            watching = self._driving.group.create_task(self._watch_signals(limit))

        timer = loop.call_later(_SIGNALS_AFTER_SECONDS, watch)
        try:
            # The one clock that stops the steps: when the run's time is up, or sooner when a signal asks for it.
            async with asyncio.timeout(self._remaining()) as limit:
                return await self._drive_steps()
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            timer.cancel()
            if watching is not None:
                watching.cancel()
        if isinstance(self._stopped_by, Exception):
            raise self._stopped_by
        return self._stopped_by or Failed(_out_of_time())

    async def _drive_steps(self) -> Succeeded | Failed:
        steps = self._record.run.plan.steps
        result: Succeeded | Failed | None = None
        for number, step in enumerate(steps, 1):
            result = await self._steps.drive(step, last=number == len(steps))
            if isinstance(result, Failed):
                break
        return result or Failed(to_status(PenstockError("the plan has no steps")))

    async def _watch_signals(self, limit: asyncio.Timeout) -> None:
        stopped_by: Cancelled | Exception | None
        try:
            stopped_by = await self._signal()
        except Exception as error:  # whatever it is, it is this run's, and not that of the group of all
            stopped_by = error
        if stopped_by is not None and not limit.expired():
            self._stopped_by = stopped_by
            limit.reschedule(asyncio.get_running_loop().time())

    async def _signal(self) -> Cancelled | None:
        """Waits for a cancel; None: the log has its last event, so the steps are about to hear the same."""
        generation = self._record.run.generation
        while True:
            try:
                async with self._tail() as tail:
                    while (batch := await tail.next()) is not None:
                        if batch.generation != generation:
                            # The end of the history was lost. It may have been the run's end, after which nobody would
                            # drive it: an entry says that somebody does. An owner keeps no checkpoint to be erased.
                            generation = batch.generation
                            await self._log.append(checkpoint=b"")
                        for signal in batch.signals:
                            if signal.signal.HasField("cancel"):
                                return Cancelled(signal)
                return None
            except DataLoss as lost:
                logger.warning("run %s goes on: %s", self._record.run.run_id, lost)

    def _tail(self) -> Tail:
        record = self._record
        return self._driving.reader.open(
            record.tenant, record.run.run_id, include=[TAIL_INCLUDE_SIGNALS], patience=float("inf")
        )

    async def _end(self, end: Succeeded | Failed | Cancelled) -> None:
        run = self._record.run
        match end:
            case Succeeded(run_finished=True):
                ended(self._record, RUN_STATE_SUCCEEDED)
            case Succeeded():
                message = endings.answer_message(run.run_id, end.output)
                await self._finish([endings.run_succeeded(run.plan.steps[-1].step_id)], message)
            case Failed():
                closing = self._close_attempt(run_event_pb2.STEP_OUTCOME_FAILED, end.error)
                note = endings.note_message(run.run_id, end.error)
                await self._finish([*closing, endings.run_failed(end.error)], note)
            case Cancelled():
                error = endings.cancelled_status(end.signal.signal.cancel.reason)
                taken = SignalTaken(signal_number=end.signal.signal_number, signal=end.signal.signal)
                closing = self._close_attempt(run_event_pb2.STEP_OUTCOME_CANCELLED, error)
                note = endings.note_message(run.run_id, error)
                await self._finish([RunEvent(signal=taken), *closing, endings.run_cancelled(error)], note)

    def _close_attempt(self, outcome: run_event_pb2.StepOutcome, error: Status) -> list[RunEvent]:
        attempt = self._steps.open_attempt
        return [] if attempt is None else [endings.step_finished(attempt.step_id, attempt.attempt, outcome, error)]

    async def _finish(self, events: list[RunEvent], message: SessionMessage) -> None:
        messages = [message] if self._record.run.session_id else []
        try:
            await self._log.append(*events, session_messages=messages)
        except AppendRefused as refused:
            raise NotEnded(events[-1].run_finished.error) from refused
        ended(self._record, events[-1].run_finished.state)

    def _remaining(self) -> float | None:
        run = self._record.run
        if not run.HasField("deadline_time"):
            return None
        return max(0.0, (run.deadline_time.ToDatetime(UTC) - datetime.now(UTC)).total_seconds())


def _out_of_time() -> Status:
    return failed_status(grpc.StatusCode.DEADLINE_EXCEEDED, "the run's time ran out", "RUN_DEADLINE")
