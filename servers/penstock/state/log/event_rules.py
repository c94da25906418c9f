"""Which events may stand in which entry, as far as the entry itself tells."""

from typing import Final

from penstock.state.log.refused import invalid
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import AppendEventsEntry
from penstock.v1.run_pb2 import RunState
from penstock.wire.ids import is_id

# One event whose payload is as large as it may be, 1 MiB, and what stands around it.
MAX_ENTRY_BYTES: Final = (1024 + 64) * 1024

OWNER_ONLY: Final = frozenset({"run_started", "step_started", "rewind", "waiting", "signal"})
OF_THE_RUN: Final = frozenset({"run_started", "run_finished"})
OF_A_STEP: Final = frozenset({"step_started", "step_finished", "rewind", "waiting"})
# What readers of the lifecycle leave out.
STREAMED: Final = frozenset({"token", "progress"})

_ENDS: Final = frozenset({RunState.RUN_STATE_SUCCEEDED, RunState.RUN_STATE_FAILED, RunState.RUN_STATE_CANCELLED})


def is_step_id(text: str) -> bool:
    """Tells whether a text may name a step, or work inside one: ids with a slash between them."""
    return is_id(text) or all(map(is_id, text.split("/")))


def check_events(entry: AppendEventsEntry) -> None:
    """Raises Refused when an event is malformed, or not for this writer to write."""
    # The whole entry is measured in a quarter of the time, and hardly ever has as much.
    if entry.ByteSize() > MAX_ENTRY_BYTES and sum(map(RunEvent.ByteSize, entry.events)) > MAX_ENTRY_BYTES:
        raise invalid(f"events: together at most {MAX_ENTRY_BYTES} bytes; split the entry")
    last = len(entry.events) - 1
    for position, event in enumerate(entry.events):
        wrong = _wrong(event, entry.step_id, entry.attempt, is_last=position == last)
        if wrong:
            raise invalid(f"events[{position}]: {wrong}")


def _wrong(event: RunEvent, step_id: str, attempt: int, *, is_last: bool) -> str:
    kind = event.WhichOneof("event")
    if kind is None:
        return "says nothing; set one kind of event"
    if event.sequence or event.HasField("time"):
        return "sequence and time are the store's to give; leave them empty"
    if kind in OF_THE_RUN and (event.step_id or event.attempt):
        return f"{kind} belongs to the run; leave step_id and attempt empty"
    if kind in OF_A_STEP and not is_step_id(event.step_id):
        return f"{kind} must name its step"
    if step_id and kind in OWNER_ONLY:
        return f"{kind} is for the run's owner to write, not for an attempt"
    if step_id and kind not in OF_THE_RUN and (event.step_id != step_id or event.attempt != attempt):
        return f"must name the entry's step {step_id} and attempt {attempt}"
    if kind == "run_finished":
        if not is_last:
            return "run_finished must be the last event"
        if event.run_finished.state not in _ENDS:
            return "run_finished.state must be SUCCEEDED, FAILED or CANCELLED"
    if kind == "step_finished" and not event.step_finished.outcome:
        return "step_finished.outcome is missing"
    return ""
