"""The rows in which logs lie for good: each holds some consecutive entries of one run."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Final

from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.journal_entry import Entry, pack, unpack

# What a reader has to take in to get at one event.
_MOST_ENTRIES: Final = 256
_MOST_BYTES: Final = 32 * 1024

# Begins with the row that holds the next event, found by its first sequence.
_FROM: Final = (
    "SELECT heads, events FROM logs WHERE run = :run AND last >= :next AND first >= "
    "coalesce((SELECT max(first) FROM logs WHERE run = :run AND first <= :next), 0) ORDER BY first, entry"
)
_NEWEST_FIRST: Final = "SELECT heads FROM logs WHERE run = ? ORDER BY first DESC, entry DESC"


def insert_log(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Keeps consecutive entries of one run."""
    begin = size = 0
    for end, entry in enumerate(entries, 1):
        size += len(entry.events)
        if end == len(entries) or end - begin == _MOST_ENTRIES or size >= _MOST_BYTES:
            row = entries[begin:end]
            connection.execute(
                "INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?)",
                (entry.run, row[0].first, row[0].number, entry.last, *pack(row)),
            )
            begin, size = end, 0


def entries_from(connection: sqlite3.Connection, run: int, sequence: int) -> Generator[Entry]:
    """Yields the entries with events from a sequence on, oldest first."""
    with closing(connection.execute(_FROM, {"run": run, "next": sequence})) as rows:
        for heads, events in rows:
            for entry in unpack(heads, events):
                if entry.last >= max(sequence, entry.first):
                    yield entry


def newest_entries(connection: sqlite3.Connection, journal: Journal, run: int) -> Generator[Entry]:
    """Yields all entries of a run, newest first, without the events of those that have left the journal."""
    yield from journal.newest(run)
    yield from newest_moved(connection, run)


def newest_moved(connection: sqlite3.Connection, run: int) -> Generator[Entry]:
    """Yields the entries of a run that have left the journal, newest first, without their events."""
    with closing(connection.execute(_NEWEST_FIRST, (run,))) as rows:
        for (heads,) in rows:
            yield from reversed(list(unpack(heads, None)))
