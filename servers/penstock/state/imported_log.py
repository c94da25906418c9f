"""The entries that pieces of an imported log become."""

from collections.abc import Iterator
from typing import NamedTuple

from penstock.state.log.event_rules import STREAMED
from penstock.state.log.head import is_terminal
from penstock.v1.run_log_pb2 import ReadEventsResponse
from penstock.v1.state_admin_pb2 import ExportedRun


class ImportedEntry(NamedTuple):
    """Represents an entry: its events' numbers, whether any is lifecycle, and its encoded form."""

    first: int
    last: int
    lifecycle: bool
    packed: bytes


def entries_of(packed: bytes, exported: ExportedRun) -> Iterator[ImportedEntry]:
    """Yields the entries of a piece: one, or two where what is never trimmed of a run that has ended begins in it."""
    run = exported.record.run
    kept_from = (exported.output_sequence or run.last_sequence) if is_terminal(run.state) else 0
    events = ReadEventsResponse.FromString(packed).events
    place = sum(event.sequence < kept_from for event in events)
    for part in (events[:place], events[place:]):
        if part:
            lifecycle = any(event.WhichOneof("event") not in STREAMED for event in part)
            yield ImportedEntry(
                part[0].sequence, part[-1].sequence, lifecycle, ReadEventsResponse(events=part).SerializeToString()
            )
