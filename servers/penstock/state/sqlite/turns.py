"""Where the turns of a conversation begin, and what of it is cut.

`turns` has a row for each run that speaks in a session, and for each message that belongs to none: `place` is where it
began to speak, `first` where the turn begins that it is part of. So rows whose `first` is their `place` are where a
history may be cut.
"""

import sqlite3
from typing import Final

from penstock.v1.session_pb2 import MESSAGE_ROLE_TOOL, SessionMessage

# Of messages that were cut so many ids are remembered, so that a late repeat is known.
REMEMBERED: Final = 1000
# Most rows that go with one append: a limit that was lowered costs the next appends a little each, not one a lot.
_PIECE: Final = 100


def note_turn(connection: sqlite3.Connection, session: int, first_index: int, message: SessionMessage) -> None:
    """Notes which turn the newest message belongs to.

    One of a run that has spoken goes with what that run said, and all between; what a tool says goes with what stands
    before it; everything else begins a turn.
    """
    if message.run_id:
        row = connection.execute(
            # Left to itself SQLite reads through all turns of the session.
            "SELECT first FROM turns INDEXED BY turns_by_run "
            "WHERE session = ? AND run_id = ? AND run_id <> '' AND place >= ?",
            (session, message.run_id, first_index),
        ).fetchone()
        if row is not None:
            connection.execute(
                "UPDATE turns SET first = ? WHERE session = ? AND place > ? AND first > ?",
                (row[0], session, row[0], row[0]),
            )
            return
    first = message.index
    if message.role == MESSAGE_ROLE_TOOL:
        before = connection.execute(
            "SELECT first FROM turns WHERE session = ? AND place >= ? ORDER BY place DESC LIMIT 1",
            (session, first_index),
        ).fetchone()
        if before is not None:
            (first,) = before
            if not message.run_id:
                return
    connection.execute("INSERT INTO turns VALUES (?, ?, ?, ?)", (session, message.index, first, message.run_id))


def first_to_keep(connection: sqlite3.Connection, session: int, wanted: int) -> int:
    """Returns where the first turn begins that does so at an index or later, else the newest one."""
    row = connection.execute(
        "SELECT place FROM turns WHERE session = ? AND place >= ? AND first = place ORDER BY place LIMIT 1",
        (session, wanted),
    ).fetchone()
    if row is None:
        row = connection.execute(
            "SELECT first FROM turns WHERE session = ? ORDER BY place DESC LIMIT 1", (session,)
        ).fetchone()
    return 0 if row is None else int(row[0])


def forget_cut(connection: sqlite3.Connection, session: int, first_index: int) -> None:
    """Deletes a piece of what stands before the first index, and remembers the ids for a while."""
    cut = connection.execute(
        "SELECT place, message_id FROM messages WHERE session = ? AND place < ? ORDER BY place LIMIT ?",
        (session, first_index, _PIECE),
    ).fetchall()
    if not cut:
        return
    until = cut[-1][0]
    connection.executemany("INSERT INTO cut_messages VALUES (?, ?, ?)", ((session, *message) for message in cut))
    connection.execute("DELETE FROM messages WHERE session = ? AND place <= ?", (session, until))
    connection.execute("DELETE FROM turns WHERE session = ? AND place <= ?", (session, until))
    connection.execute("DELETE FROM cut_messages WHERE session = ? AND place < ?", (session, first_index - REMEMBERED))
