"""Entries of run logs, and how many of them lie in one row."""

from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, NamedTuple

# Run, number, first, last, lifecycle, writer's number, bytes of the log so far, lengths of the writer's id and of the
# events.
_HEAD: Final = Struct("<qqqq?qqHI")


class Entry(NamedTuple):
    """Represents an entry as it stands in its run's log: the `number`-th, with the events from `first` to `last`.

    One without events has a `last` below its `first`, and is kept because it too must be recognised when it is
    repeated. `log_bytes` counts the run's events up to here; `events` is a ReadEventsResponse.
    """

    run: int
    number: int
    first: int
    last: int
    lifecycle: bool
    writer: str
    writer_sequence: int
    log_bytes: int
    events: bytes


def pack(entries: Iterable[Entry]) -> tuple[bytes, bytes]:
    """Returns the heads and the events of entries, each side by side, so that heads can be read alone."""
    heads: list[bytes] = []
    events: list[bytes] = []
    for run, number, first, last, lifecycle, writer, writer_sequence, log_bytes, packed in entries:
        name = writer.encode()
        heads += (
            _HEAD.pack(run, number, first, last, lifecycle, writer_sequence, log_bytes, len(name), len(packed)),
            name,
        )
        events.append(packed)
    return b"".join(heads), b"".join(events)


def unpack(heads: bytes, events: bytes | None) -> Iterator[Entry]:
    """Yields the entries again, in their order; without `events` theirs are empty."""
    at = begin = 0
    while at < len(heads):
        run, number, first, last, lifecycle, writer_sequence, log_bytes, name, size = _HEAD.unpack_from(heads, at)
        at += _HEAD.size + name
        writer = heads[at - name : at].decode()
        packed = b"" if events is None else events[begin : begin + size]
        begin += size
        yield Entry(run, number, first, last, lifecycle, writer, writer_sequence, log_bytes, packed)
