"""Bringing runs to their end that nobody can drive on."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status

from penstock.orchestrator import endings
from penstock.orchestrator.owner_log import OwnerLog
from penstock.orchestrator.run_telemetry import ended
from penstock.run_log.refusal import AppendRefused
from penstock.v1 import run_event_pb2
from penstock.v1.run_event_pb2 import RunEvent, SignalTaken
from penstock.v1.run_log_pb2 import APPEND_OUTCOME_RUN_FINISHED, ReadRunsRequest, RunName, RunRecord
from penstock.v1.run_pb2 import RUN_STATE_QUEUED, RUN_STATE_RUNNING, RUN_STATE_WAITING
from penstock.wire.status import failed_status

if TYPE_CHECKING:
    from penstock.run_log.writer import LogWriter
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

logger = logging.getLogger(__name__)

# Each time but the last, an executor's last append may have come in between; that can't go on for long.
_TRIES: Final = 5
_WAIT_SECONDS: Final = 1.0
_GOING: Final = frozenset({RUN_STATE_QUEUED, RUN_STATE_RUNNING, RUN_STATE_WAITING})


@dataclass(frozen=True, slots=True)
class Ender:
    """Writes the last event of runs as their records say that they stand, and closes the attempts that are open."""

    log: LogWriter
    stub: RunLogServiceAsyncStub

    async def end_late(self, record: RunRecord) -> None:
        """Ends a claimed run whose deadline has passed; raises AppendRefused."""
        error = failed_status(grpc.StatusCode.DEADLINE_EXCEEDED, "the run's time ran out", "RUN_DEADLINE")
        await self._end(record, [endings.run_failed(error)], error)

    async def end_orphan(self, record: RunRecord) -> None:
        """Ends a claimed run whose owner was lost; raises AppendRefused."""
        text = "the orchestrator that drove the run was lost; start the run again"
        await self.end(record, failed_status(grpc.StatusCode.ABORTED, text, "OWNER_LOST"))

    async def end(self, record: RunRecord, error: Status) -> None:
        """Ends a run as CANCELLED if that was asked for, else as FAILED with an error; raises AppendRefused."""
        cancels = [signal for signal in record.pending_signals if signal.signal.HasField("cancel")]
        if not cancels and not record.HasField("cancel"):
            await self._end(record, [endings.run_failed(error)], error)
            return
        cancel = cancels[0].signal.cancel if cancels else record.cancel
        cancelled = endings.cancelled_status(cancel.reason)
        taken = [
            RunEvent(signal=SignalTaken(signal_number=pending.signal_number, signal=pending.signal))
            for pending in cancels[:1]
        ]
        await self._end(record, [*taken, endings.run_cancelled(cancelled)], cancelled)

    async def settle(self, record: RunRecord, error: Status) -> None:
        """Ends a run whose driver has stopped, if it is still that driver's to end: no run may hang on its owner.

        Looks at the run first, and waits for the state layer as long as it is away.
        """
        for _ in range(_TRIES):
            now = await self._read(record)
            if now is None or now.epoch != record.epoch or now.run.state not in _GOING:
                return
            try:
                await self.end(now, error)
            except AppendRefused as refused:
                if refused.outcome == APPEND_OUTCOME_RUN_FINISHED:
                    return  # readers don't see that end before it is as durable as the run asks for
                logger.warning("could not end run %s: %s", record.run.run_id, refused)
            else:
                return
        logger.error("run %s can't be ended, and hangs on its owner", record.run.run_id)

    async def _end(self, record: RunRecord, last: list[RunEvent], error: Status) -> None:
        run = record.run
        abandoned = run_event_pb2.STEP_OUTCOME_ABANDONED
        ends = [
            endings.step_finished(step.step_id, step.attempt, abandoned, error) for step in record.steps if step.open
        ]
        # What never left the queue never entered the session.
        notes = [endings.note_message(run.run_id, error)] if run.session_id and run.last_sequence > 0 else []
        with closing(OwnerLog(self.log, record)) as log:
            await log.append(*ends, *last, session_messages=notes)
        ended(record, last[-1].run_finished.state)

    async def _read(self, record: RunRecord) -> RunRecord | None:
        name = RunName(tenant=record.tenant, run_id=record.run.run_id)
        while True:
            try:
                response = await self.stub.ReadRuns(ReadRunsRequest(runs=[name]), timeout=10.0)
            except grpc.aio.AioRpcError as error:
                logger.warning("waiting for the record of run %s: %s", record.run.run_id, error.code().name)
                await asyncio.sleep(_WAIT_SECONDS * random.uniform(0.5, 1.0))
            else:
                return response.records[0] if response.records else None
