"""What each append of a batch leaves in traces and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final

from penstock.run_log.run_writer import Entry
from penstock.wire.metering import COUNTS, SIZES, Histogram, meter
from penstock.wire.tracing_parents import linking

ENTRIES: Final = Histogram("penstock.append.entries", "{entry}", "Entries, each of one run, in an append.", COUNTS)
BYTES: Final = Histogram("penstock.append.size", "By", "Bytes of the entries in an append.", SIZES)


def appending(entries: Sequence[Entry]) -> AbstractContextManager[None]:
    """Links the append to the traces of all whose entries it carries: it belongs to each of them, and to none alone."""
    if meter() is not None:
        ENTRIES.record(len(entries), {})
        BYTES.record(sum(entry.size for entry in entries), {})
    return linking(entry.message.traceparent for entry in entries)
