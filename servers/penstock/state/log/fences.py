"""The fences that keep late writers out of a log, in the order in which they are asked."""

from penstock.state.log.head import DONE_OUTCOMES, RunHead
from penstock.state.log.refused import Refused
from penstock.v1.run_log_pb2 import (
    APPEND_OUTCOME_ATTEMPT_CLOSED,
    APPEND_OUTCOME_FENCED,
    APPEND_OUTCOME_RUN_FINISHED,
    APPEND_OUTCOME_STEP_FINISHED,
    AppendEventsEntry,
)


def check_fences(head: RunHead, entry: AppendEventsEntry) -> None:
    """Raises Refused when the entry's writer no longer has a say in the run."""
    if head.finished:
        raise Refused(APPEND_OUTCOME_RUN_FINISHED, f"run {head.run_id} has its last event")
    if not entry.epoch or entry.epoch != head.record.epoch:
        raise Refused(
            APPEND_OUTCOME_FENCED,
            f"run {head.run_id} is in epoch {head.record.epoch}, the entry comes from epoch {entry.epoch}",
        )
    if entry.step_id:
        check_attempt(head, entry.step_id, entry.attempt)


def check_attempt(head: RunHead, step_id: str, attempt: int) -> None:
    """Raises Refused unless this is the step's newest attempt, and open."""
    step = head.steps.get(step_id)
    if step is not None and step.outcome in DONE_OUTCOMES:
        raise Refused(APPEND_OUTCOME_STEP_FINISHED, f"step {step_id} is done")
    if step is None or not step.open or step.attempt != attempt:
        newest = 0 if step is None else step.attempt
        state = "open" if step is not None and step.open else "closed"
        raise Refused(
            APPEND_OUTCOME_ATTEMPT_CLOSED,
            f"attempt {attempt} of step {step_id} is not open; the newest is {newest}, {state}",
        )
