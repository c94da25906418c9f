"""The runs that this process drives."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from google.rpc.status_pb2 import Status

from penstock.orchestrator import endings
from penstock.orchestrator.drive import Driving, RunDriver
from penstock.orchestrator.ender import Ender
from penstock.orchestrator.outcome import NotEnded, TakenOver
from penstock.orchestrator.owner_log import OwnerLog
from penstock.orchestrator.run_telemetry import driving
from penstock.run_log.refusal import AppendRefused
from penstock.v1.ownership_pb2 import CLAIM_REASON_PAST_DEADLINE, ClaimedRun
from penstock.v1.run_log_pb2 import APPEND_OUTCOME_OVER_CAP, RunRecord
from penstock.v1.run_pb2 import RUN_STATE_RUNNING, RUN_STATE_WAITING
from penstock.wire.context import REQUEST_ID, TENANT, TRACEPARENT, RequestContext, from_metadata
from penstock.wire.errors import InvalidArgument, PenstockError
from penstock.wire.status import failed_status, to_status

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Runs:
    """Starts a driver for each run that this process comes to own, in a task of its own group with a fresh context."""

    driving: Driving
    ender: Ender
    group: asyncio.TaskGroup
    instance_id: str
    _driven: dict[tuple[str, str, int], asyncio.Task[None]] = field(default_factory=dict)

    def recorded(self, record: RunRecord) -> None:
        """Drives a recorded run, if it is this process's, and going, and not driven yet."""
        going = record.run.state in (RUN_STATE_RUNNING, RUN_STATE_WAITING)
        if going and record.owner_instance_id == self.instance_id:
            self._start(record, self._drive(record), claimed=False)

    def claimed(self, claimed: ClaimedRun) -> None:
        """Takes over a run: one that never began is begun, any other is brought to its end."""
        record = claimed.record
        if claimed.reason == CLAIM_REASON_PAST_DEADLINE:
            self._start(record, self.ender.end_late(record), claimed=True)
        elif record.run.last_sequence == 0:
            self._start(record, self._begin(record), claimed=True)
        else:
            self._start(record, self.ender.end_orphan(record), claimed=True)

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

    def _start(self, record: RunRecord, work: Coroutine[Any, Any, None], *, claimed: bool) -> None:
        # With the epoch: a run that lapsed and was claimed again is a new one to drive, while the old driver learns so.
        key = (record.tenant, record.run.run_id, record.epoch)
        if key in self._driven:
            work.close()
            return
        task = self.group.create_task(self._guard(record, work, claimed), context=contextvars.Context())
        self._driven[key] = task
        task.add_done_callback(lambda _: self._driven.pop(key, None))

    async def _guard(self, record: RunRecord, work: Coroutine[Any, Any, None], claimed: bool) -> None:
        with driving(record, _context(record), claimed=claimed):
            try:
                await work
            except Exception as error:
                # One run's fault must not end the group in which all others are driven, nor leave the run without end.
                await self.ender.settle(record, _status_of(error, record.run.run_id))

    async def _drive(self, record: RunRecord) -> None:
        await RunDriver(self.driving, record).drive()

    async def _begin(self, record: RunRecord) -> None:
        first = record.run.plan.steps[0]
        message = [endings.user_message(record.run.run_id, record.run.input)] if record.run.session_id else []
        with closing(OwnerLog(self.driving.log, record)) as log:
            appended = await log.append(endings.run_started(), endings.step_started(first, 1), session_messages=message)
        step = record.steps.add(step_id=first.step_id, attempt=1, open=True)
        step.started_sequence = appended.last_sequence
        await self._drive(record)


def _status_of(error: Exception, run_id: str) -> Status:
    """Returns with which error a run ends whose driver was stopped by another one."""
    match error:
        case NotEnded():
            logger.info("run %s was not as its driver thought: %s", run_id, error.__cause__)
            return error.status
        case AppendRefused(outcome=outcome) if outcome == APPEND_OUTCOME_OVER_CAP:
            return failed_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "the run's log is full", "LOG_OVER_CAP")
        case AppendRefused() | TakenOver():
            logger.info("stopped driving run %s: %s", run_id, error)
            return failed_status(grpc.StatusCode.ABORTED, "the run's log refused an event of its owner", "LOG_REFUSED")
        case PenstockError():
            logger.error("run %s can't be driven on: %s", run_id, error)
            return to_status(error)
        case _:
            logger.error("driving run %s failed", run_id, exc_info=error)
            text = f"the orchestrator failed; the server's log has the details under run {run_id}"
            return failed_status(grpc.StatusCode.INTERNAL, text, "DRIVER_FAILED")


def _context(record: RunRecord) -> RequestContext:
    pairs = [(TENANT, record.tenant), (TRACEPARENT, record.traceparent)]
    try:
        context = from_metadata([*pairs, (REQUEST_ID, record.request_id or record.run.run_id)])
    except InvalidArgument:
        context = from_metadata(pairs)
    return replace(context.detach(), user=record.user, session_id=record.run.session_id)
