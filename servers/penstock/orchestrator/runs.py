"""The runs that this process drives."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from google.rpc.status_pb2 import Status

from penstock.orchestrator import endings
from penstock.orchestrator.drive import Driving, RunDriver
from penstock.run_log.refusal import AppendRefused, LogStalled
from penstock.run_log.run_writer import RunWriter
from penstock.v1 import run_event_pb2
from penstock.v1.ownership_pb2 import CLAIM_REASON_PAST_DEADLINE, ClaimedRun
from penstock.v1.run_event_pb2 import RunEvent, SignalTaken
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import RUN_STATE_RUNNING, RUN_STATE_WAITING
from penstock.wire.context import REQUEST_ID, TENANT, TRACEPARENT, RequestContext, from_metadata, use_context
from penstock.wire.errors import InvalidArgument, PenstockError
from penstock.wire.status import failed_status

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Runs:
    """Starts a driver for each run that this process comes to own, in a task of its own group with a fresh context."""

    driving: Driving
    group: asyncio.TaskGroup
    instance_id: str
    _driven: dict[tuple[str, str, int], asyncio.Task[None]] = field(default_factory=dict)

    def recorded(self, record: RunRecord) -> None:
        """Drives a recorded run, if it is this process's, and going, and not driven yet."""
        going = record.run.state in (RUN_STATE_RUNNING, RUN_STATE_WAITING)
        if going and record.owner_instance_id == self.instance_id:
            self._start(record, self._drive(record))

    def claimed(self, claimed: ClaimedRun) -> None:
        """Takes over a run: one that never began is begun, any other is brought to its end."""
        record = claimed.record
        if claimed.reason == CLAIM_REASON_PAST_DEADLINE:
            self._start(record, self._end_late(record))
        elif record.run.last_sequence == 0:
            self._start(record, self._begin(record))
        else:
            self._start(record, self._end_orphan(record))

    async def drain(self) -> None:
        """Returns when no run is driven any more."""
        while self._driven:
            await asyncio.wait(list(self._driven.values()))

    def stop(self) -> None:
        """Stops driving; what is going keeps its log, for the next claimant."""
        for task in self._driven.values():
            task.cancel()

    @property
    def count(self) -> int:
        """Returns how many runs are driven now."""
        return len(self._driven)

    def _start(self, record: RunRecord, work: Coroutine[Any, Any, None]) -> None:
        # With the epoch: a run that lapsed and was claimed again is a new one to drive, while the old driver learns so.
        key = (record.tenant, record.run.run_id, record.epoch)
        if key in self._driven:
            work.close()
            return
        task = self.group.create_task(self._guard(record, work), context=contextvars.Context())
        self._driven[key] = task
        task.add_done_callback(lambda _: self._driven.pop(key, None))

    async def _guard(self, record: RunRecord, work: Coroutine[Any, Any, None]) -> None:
        with use_context(_context(record)):
            try:
                await work
            except (AppendRefused, LogStalled, PenstockError) as error:
                logger.info("stopped driving run %s: %s", record.run.run_id, error)
            except Exception:
                # One run's fault must not end the group in which all others are driven.
                logger.exception("driving run %s failed", record.run.run_id)

    async def _drive(self, record: RunRecord) -> None:
        await RunDriver(self.driving, record).drive()

    async def _begin(self, record: RunRecord) -> None:
        first = record.run.plan.steps[0]
        writer = self._writer(record)
        message = [endings.user_message(record.run.run_id, record.run.input)] if record.run.session_id else []
        appended = await writer.append(endings.run_started(), endings.step_started(first, 1), session_messages=message)
        writer.close()
        step = record.steps.add(step_id=first.step_id, attempt=1, open=True)
        step.started_sequence = appended.last_sequence
        await self._drive(record)

    async def _end_late(self, record: RunRecord) -> None:
        error = failed_status(grpc.StatusCode.DEADLINE_EXCEEDED, "the run's time ran out", "RUN_DEADLINE")
        await self._end(record, [endings.run_failed(error)], run_event_pb2.STEP_OUTCOME_ABANDONED, error)

    async def _end_orphan(self, record: RunRecord) -> None:
        cancels = [signal for signal in record.pending_signals if signal.signal.HasField("cancel")]
        if cancels or record.HasField("cancel"):
            cancel = cancels[0].signal.cancel if cancels else record.cancel
            error = endings.cancelled_status(cancel.reason)
            taken = [
                RunEvent(signal=SignalTaken(signal_number=pending.signal_number, signal=pending.signal))
                for pending in cancels[:1]
            ]
            last = [*taken, endings.run_cancelled(error)]
        else:
            text = "the orchestrator that drove the run was lost; start the run again"
            error = failed_status(grpc.StatusCode.ABORTED, text, "OWNER_LOST")
            last = [endings.run_failed(error)]
        await self._end(record, last, run_event_pb2.STEP_OUTCOME_ABANDONED, error)

    async def _end(
        self, record: RunRecord, last: list[RunEvent], outcome: run_event_pb2.StepOutcome, error: Status
    ) -> None:
        run = record.run
        closing = [
            endings.step_finished(step.step_id, step.attempt, outcome, error) for step in record.steps if step.open
        ]
        began = run.last_sequence > 0
        notes = [endings.note_message(run.run_id, error)] if run.session_id and began else []
        writer = self._writer(record)
        await writer.append(*closing, *last, session_messages=notes)
        writer.close()

    def _writer(self, record: RunRecord) -> RunWriter:
        return self.driving.log.open(
            tenant=record.tenant, run_id=record.run.run_id, epoch=record.epoch, traceparent=record.traceparent
        )


def _context(record: RunRecord) -> RequestContext:
    pairs = [(TENANT, record.tenant), (TRACEPARENT, record.traceparent)]
    try:
        context = from_metadata([*pairs, (REQUEST_ID, record.request_id or record.run.run_id)])
    except InvalidArgument:
        context = from_metadata(pairs)
    return replace(context.detach(), user=record.user, session_id=record.run.session_id)
