"""The bound on one run's log."""

from typing import Final

from penstock.state.log.event_rules import MAX_ENTRY_BYTES
from penstock.state.log.head import RunHead
from penstock.state.log.refused import Refused
from penstock.state.settings import StateSettings
from penstock.v1.run_event_pb2 import STEP_OUTCOME_SUCCEEDED, RunEvent
from penstock.v1.run_log_pb2 import APPEND_OUTCOME_OVER_CAP, AppendEventsEntry

_ALWAYS: Final = frozenset({"rewind", "step_started", "signal", "run_finished"})


def check_cap(head: RunHead, entry: AppendEventsEntry, settings: StateSettings) -> None:
    """Raises Refused when the entry would make the log outgrow its cap, unless it brings the run to its end."""
    if not entry.events:
        return
    if head.last_sequence + len(entry.events) > settings.max_log_events:
        cap = f"{settings.max_log_events} events"
    elif head.log_bytes + MAX_ENTRY_BYTES <= settings.max_log_bytes:
        return  # whatever is in it, there is room
    elif head.log_bytes + sum(event.ByteSize() for event in entry.events) > settings.max_log_bytes:
        cap = f"{settings.max_log_bytes} bytes"
    else:
        return
    if entry.events[-1].HasField("run_finished") or all(_always_taken(event) for event in entry.events):
        return
    raise Refused(APPEND_OUTCOME_OVER_CAP, f"the log of run {head.run_id} would outgrow {cap}")


def _always_taken(event: RunEvent) -> bool:
    if event.HasField("step_finished"):
        return event.step_finished.outcome != STEP_OUTCOME_SUCCEEDED
    return event.WhichOneof("event") in _ALWAYS
