"""What an orchestrator and an executor write to the state layer, written by the tests themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from penstock.v1 import run_log_pb2 as log
from penstock.v1.ownership_pb2 import RenewLeaseRequest
from penstock.v1.plan_pb2 import AgentStep, Plan, Step
from penstock.v1.run_event_pb2 import (
    STEP_OUTCOME_SUCCEEDED,
    RunEvent,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    Token,
)
from penstock.v1.run_pb2 import RUN_STATE_SUCCEEDED, Content, RunSpec
from penstock.v1.session_pb2 import SessionMessage
from penstock.wire.ids import random_id

if TYPE_CHECKING:
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

OWNER = "orchestrator-1"
TENANT = "acme"


@dataclass(slots=True)
class Recorder:
    """Records runs of one agent step and writes their logs, as the owner and the executor of all of them."""

    run_log: RunLogServiceAsyncStub
    ownership: OwnershipServiceAsyncStub
    writers: dict[str, tuple[str, int]] = field(default_factory=dict)

    async def record(self, run_id: str, *, tenant: str = TENANT, session_id: str = "", **spec: object) -> None:
        """Records a run and begins its only step; queued when its session is busy."""
        await self.ownership.RenewLease(RenewLeaseRequest(instance_id=OWNER, ttl=Duration(seconds=60)))
        asked = RunSpec(agent="counter", session_id=session_id, input=[Content(text="count")], **spec)  # type: ignore[arg-type]  # the field names are the test's to choose
        entry = log.RecordRunsEntry(
            tenant=tenant,
            run_id=run_id,
            spec=asked,
            plan=Plan(steps=[Step(step_id="main", agent=AgentStep(agent="counter"))]),
            owner_instance_id=OWNER,
            events=[
                RunEvent(run_started=RunStarted()),
                RunEvent(step_id="main", attempt=1, step_started=StepStarted(agent="counter")),
            ],
            session_messages=[SessionMessage(message_id=f"{run_id}:user", run_id=run_id)] if session_id else [],
        )
        result = (await self.run_log.RecordRuns(log.RecordRunsRequest(entries=[entry]))).results[0]
        assert result.outcome in (log.RECORD_OUTCOME_STARTED, log.RECORD_OUTCOME_QUEUED), result

    async def say(self, run_id: str, *texts: str, tenant: str = TENANT) -> None:
        """Appends a token for each text."""
        await self._append(
            tenant, run_id, [RunEvent(step_id="main", attempt=1, token=Token(text=text)) for text in texts]
        )

    async def finish(self, run_id: str, output: str = "3", *, tenant: str = TENANT) -> None:
        """Appends the end of the step and of the run."""
        await self._append(
            tenant,
            run_id,
            [
                RunEvent(
                    step_id="main",
                    attempt=1,
                    step_finished=StepFinished(outcome=STEP_OUTCOME_SUCCEEDED, output=[Content(text=output)]),
                ),
                RunEvent(run_finished=RunFinished(state=RUN_STATE_SUCCEEDED, output_step_id="main")),
            ],
        )

    async def _append(self, tenant: str, run_id: str, events: list[RunEvent]) -> None:
        writer_id, number = self.writers.get(run_id, (random_id("writer"), 0))
        self.writers[run_id] = (writer_id, number + 1)
        entry = log.AppendEventsEntry(
            tenant=tenant,
            run_id=run_id,
            epoch=1,
            step_id="main",
            attempt=1,
            writer_id=writer_id,
            writer_sequence=number + 1,
            events=events,
        )
        result = (await self.run_log.AppendEvents(log.AppendEventsRequest(entries=[entry]))).results[0]
        assert result.outcome == log.APPEND_OUTCOME_APPENDED, result

    async def pending_signals(self, run_id: str) -> list[log.PendingSignal]:
        """Returns the signals that the run's owner has not taken in."""
        names = [log.RunName(tenant=TENANT, run_id=run_id)]
        answer = await self.run_log.ReadRuns(log.ReadRunsRequest(runs=names))
        return list(answer.records[0].pending_signals)
