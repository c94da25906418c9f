"""The events and messages with which runs begin and end."""

from collections.abc import Sequence

import grpc
from google.rpc.status_pb2 import Status

from penstock.v1 import run_event_pb2 as events
from penstock.v1 import run_pb2, session_pb2
from penstock.v1.plan_pb2 import Step
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import Content
from penstock.v1.session_pb2 import SessionMessage
from penstock.wire.status import failed_status


def run_started() -> RunEvent:
    """Makes the event that begins a run's work; the store fills in its history."""
    return RunEvent(run_started=events.RunStarted())


def step_started(step: Step, attempt: int) -> RunEvent:
    """Makes the event that opens an attempt."""
    kind = step.WhichOneof("kind")
    started = events.StepStarted()
    if kind == "agent":
        started.agent = step.agent.agent
    elif kind == "tool":
        started.tool = step.tool.tool
    return RunEvent(step_id=step.step_id, attempt=attempt, step_started=started)


def rewind(step_id: str, attempt: int, from_sequence: int, cause: Status) -> RunEvent:
    """Makes the event after which an attempt no longer counts."""
    return RunEvent(step_id=step_id, attempt=attempt, rewind=events.Rewind(from_sequence=from_sequence, cause=cause))


def step_finished(step_id: str, attempt: int, outcome: events.StepOutcome, error: Status) -> RunEvent:
    """Makes the event that ends an attempt without success."""
    return RunEvent(step_id=step_id, attempt=attempt, step_finished=events.StepFinished(outcome=outcome, error=error))


def run_failed(error: Status) -> RunEvent:
    """Makes the last event of a run that failed."""
    return RunEvent(run_finished=events.RunFinished(state=run_pb2.RUN_STATE_FAILED, error=error))


def run_cancelled(error: Status) -> RunEvent:
    """Makes the last event of a run that was cancelled."""
    return RunEvent(run_finished=events.RunFinished(state=run_pb2.RUN_STATE_CANCELLED, error=error))


def run_succeeded(step_id: str) -> RunEvent:
    """Makes the last event of a run whose output is that of a step."""
    return RunEvent(run_finished=events.RunFinished(state=run_pb2.RUN_STATE_SUCCEEDED, output_step_id=step_id))


def cancelled_status(reason: str) -> Status:
    """Makes the error of a run that was cancelled."""
    text = f"the run was cancelled: {reason}" if reason else "the run was cancelled"
    return failed_status(grpc.StatusCode.CANCELLED, text, "RUN_CANCELLED")


def user_message(run_id: str, content: Sequence[Content]) -> SessionMessage:
    """Makes the message that enters the session when the run starts."""
    return SessionMessage(
        message_id=f"{run_id}:user", role=session_pb2.MESSAGE_ROLE_USER, content=content, run_id=run_id
    )


def answer_message(run_id: str, content: Sequence[Content]) -> SessionMessage:
    """Makes the message that enters the session when the run has succeeded."""
    return SessionMessage(
        message_id=f"{run_id}:answer", role=session_pb2.MESSAGE_ROLE_ASSISTANT, content=content, run_id=run_id
    )


def note_message(run_id: str, error: Status) -> SessionMessage:
    """Makes the note of how a run ended that did not succeed."""
    return SessionMessage(
        message_id=f"{run_id}:note",
        role=session_pb2.MESSAGE_ROLE_NOTE,
        content=[Content(text=error.message)],
        run_id=run_id,
    )
