"""Short ways to write down entries, events and what is asked of a house."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from google.protobuf.duration_pb2 import Duration

from penstock.v1 import run_event_pb2 as ev
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.ownership_pb2 import (
    ClaimRunsRequest,
    ClaimRunsResponse,
    RenewLeaseRequest,
    SendSignalRequest,
    SendSignalResponse,
)
from penstock.v1.plan_pb2 import AgentStep, Plan, Step
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import Content, OnBusy, RunSpec, RunState, Signal
from penstock.v1.session_pb2 import MessageRole, SessionMessage
from tests.state.house import House

TENANT = "acme"
OWNER = "orchestrator-1"
PLAN = Plan(steps=[Step(step_id="main", agent=AgentStep(agent="echo"))])

_numbers = count(1)


def seconds(value: float) -> Duration:
    """A duration."""
    duration = Duration()
    duration.FromNanoseconds(round(value * 1e9))
    return duration


def started() -> RunEvent:
    """A run_started."""
    return RunEvent(run_started=ev.RunStarted())


def step_started(attempt: int = 1, step: str = "main") -> RunEvent:
    """A step_started."""
    return RunEvent(step_id=step, attempt=attempt, step_started=ev.StepStarted(agent="echo"))


def token(text: str = "x", attempt: int = 1, step: str = "main") -> RunEvent:
    """A token."""
    return RunEvent(step_id=step, attempt=attempt, token=ev.Token(text=text))


def rewind(attempt: int, step: str = "main") -> RunEvent:
    """A rewind."""
    return RunEvent(step_id=step, attempt=attempt, rewind=ev.Rewind(from_sequence=1))


def step_finished(
    attempt: int = 1,
    step: str = "main",
    outcome: ev.StepOutcome = ev.StepOutcome.STEP_OUTCOME_SUCCEEDED,
    output: str = "done",
) -> RunEvent:
    """A step_finished."""
    finished = ev.StepFinished(outcome=outcome)
    if outcome == ev.StepOutcome.STEP_OUTCOME_SUCCEEDED:
        finished.output.add(text=output)
    return RunEvent(step_id=step, attempt=attempt, step_finished=finished)


def run_finished(state: RunState = RunState.RUN_STATE_SUCCEEDED, output_step: str = "") -> RunEvent:
    """A run_finished."""
    return RunEvent(run_finished=ev.RunFinished(state=state, output_step_id=output_step))


def message(message_id: str, text: str = "hello") -> SessionMessage:
    """A user's message."""
    return SessionMessage(message_id=message_id, role=MessageRole.MESSAGE_ROLE_USER, content=[Content(text=text)])


def record_entry(
    run_id: str,
    *,
    session: str = "",
    on_busy: OnBusy = OnBusy.ON_BUSY_UNSPECIFIED,
    owner: str = OWNER,
    tenant: str = TENANT,
    text: str = "do it",
    timeout: float = 0.0,
    labels: dict[str, str] | None = None,
) -> pb.RecordRunsEntry:
    """An entry that records a run of one agent step and starts its first attempt."""
    spec = RunSpec(agent="echo", input=[Content(text=text)], session_id=session, on_busy=on_busy, labels=labels or {})
    if timeout:
        spec.timeout.CopyFrom(seconds(timeout))
    return pb.RecordRunsEntry(
        tenant=tenant,
        run_id=run_id,
        spec=spec,
        plan=PLAN,
        owner_instance_id=owner,
        events=[started(), step_started()] if owner else [],
        session_messages=[message(f"{run_id}:user", text)] if owner and session else [],
    )


async def record(house: House, entry: pb.RecordRunsEntry) -> pb.RecordRunsResult:
    """Records one run."""
    response = await house.log.RecordRuns(pb.RecordRunsRequest(entries=[entry]))
    return response.results[0]


def append_entry(
    run_id: str,
    *events: RunEvent,
    epoch: int = 1,
    step: str = "main",
    attempt: int = 1,
    writer: str = "writer-1",
    number: int = 0,
    tenant: str = TENANT,
) -> pb.AppendEventsEntry:
    """An entry of an attempt, or of the run's owner with an empty step; 0 takes the next free number."""
    return pb.AppendEventsEntry(
        tenant=tenant,
        run_id=run_id,
        epoch=epoch,
        step_id=step,
        attempt=attempt if step else 0,
        writer_id=writer,
        writer_sequence=number or next(_numbers),
        events=events,
    )


async def append(house: House, *entries: pb.AppendEventsEntry) -> list[pb.AppendEventsResult]:
    """Appends entries in one call."""
    return list((await house.log.AppendEvents(pb.AppendEventsRequest(entries=entries))).results)


async def append_events(house: House, run_id: str, *events: RunEvent, **where: object) -> pb.AppendEventsResult:
    """Appends events as one entry."""
    return (await append(house, append_entry(run_id, *events, **where)))[0]  # type: ignore[arg-type] # passed through


async def append_as_owner(house: House, run_id: str, *events: RunEvent, **where: object) -> pb.AppendEventsResult:
    """Appends events as the run's owner."""
    return await append_events(house, run_id, *events, step="", writer="owner", **where)


async def lease(house: House, instance: str = OWNER, ttl: float = 60.0) -> bool:
    """Takes or renews a lease; returns whether it had lapsed."""
    response = await house.owner.RenewLease(RenewLeaseRequest(instance_id=instance, ttl=seconds(ttl)))
    return response.lapsed


async def claim(
    house: House, instance: str = OWNER, wait: float = 0.0, claim_id: str = "", most: int = 100
) -> ClaimRunsResponse:
    """Claims runs."""
    return await house.owner.ClaimRuns(
        ClaimRunsRequest(
            instance_id=instance, max_runs=most, wait=seconds(wait), claim_id=claim_id or f"claim-{next(_numbers)}"
        )
    )


async def cancel(house: House, run_id: str, signal_id: str = "signal-1", tenant: str = TENANT) -> SendSignalResponse:
    """Sends a cancel."""
    return await house.owner.SendSignal(
        SendSignalRequest(
            tenant=tenant, run_id=run_id, signal_id=signal_id, signal=Signal(cancel=Signal.Cancel(reason="enough"))
        )
    )


async def run_record(house: House, run_id: str, tenant: str = TENANT) -> pb.RunRecord:
    """Reads a run's record."""
    response = await house.log.ReadRuns(pb.ReadRunsRequest(runs=[pb.RunName(tenant=tenant, run_id=run_id)]))
    return response.records[0]


async def read_log(
    house: House,
    run_id: str,
    *,
    after: int = 0,
    generation: int = 0,
    include: Sequence[pb.TailInclude] = (),
    follow: bool = False,
    tenant: str = TENANT,
) -> list[RunEvent]:
    """Reads a run's log."""
    call = house.log.ReadEvents(
        pb.ReadEventsRequest(
            tenant=tenant, run_id=run_id, after_sequence=after, generation=generation, include=include, follow=follow
        )
    )
    events: list[RunEvent] = []
    async for response in call:
        events.extend(response.events)
    return events


def kinds(events: Sequence[RunEvent]) -> list[str | None]:
    """The kinds of events."""
    return [event.WhichOneof("event") for event in events]
