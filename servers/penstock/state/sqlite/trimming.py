"""Trimming the log of a run that has ended, down to what tells its end and its output."""

import sqlite3
from contextlib import closing
from typing import Final

from penstock.state.sqlite.journal_entry import unpack
from penstock.state.sqlite.log_rows import entries_from, insert_log, newest_moved

# Of one piece: freeing as many pages takes a few milliseconds.
MOST_BYTES: Final = 2 * 1024 * 1024

_OLDEST: Final = "SELECT first, entry, last, length(events) FROM logs WHERE run = ? AND first < ? ORDER BY first, entry"
_ROW: Final = "run = ? AND first = ? AND entry = ?"


def trim_log(connection: sqlite3.Connection, run: int, output_sequence: int) -> tuple[bool, int]:
    """Drops a piece of what stands before a log's last entry, or before the one with the output if that is older.

    Nothing of the log may be in the journal. Returns whether that was all, and how many bytes of events went.
    """
    keep_from = _first_to_keep(connection, run, output_sequence)
    went = 0
    for first, entry, last, size in connection.execute(_OLDEST, (run, keep_from)).fetchall():
        if went >= MOST_BYTES:
            _note_first(connection, run, first)
            return False, went
        row = (run, first, entry)
        if last >= keep_from:
            packed = connection.execute(f"SELECT heads, events FROM logs WHERE {_ROW}", row).fetchone()
            kept = [one for one in unpack(*packed) if one.first >= keep_from]
            size -= sum(len(one.events) for one in kept)
        connection.execute(f"DELETE FROM logs WHERE {_ROW}", row)
        if last >= keep_from:
            insert_log(connection, kept)
        went += size
    _note_first(connection, run, keep_from)
    return True, went


def _first_to_keep(connection: sqlite3.Connection, run: int, output_sequence: int) -> int:
    with closing(newest_moved(connection, run)) as entries:
        newest = next(entries, None)
    first = 1 if newest is None else newest.first
    if 0 < output_sequence < first:
        with closing(entries_from(connection, run, output_sequence)) as entries:
            first = next(entries).first
    return first


def _note_first(connection: sqlite3.Connection, run: int, sequence: int) -> None:
    connection.execute("UPDATE runs SET first_sequence = ? WHERE number = ?", (sequence, run))
