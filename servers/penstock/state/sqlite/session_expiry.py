"""What time takes from conversations: those that nobody uses any more, and what is left of those that are gone."""

import sqlite3
from functools import partial
from typing import Final

from penstock.state.clock import LARGEST_STEP_US, StoreClock
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.sqlite.run_rows import first_unfinished
from penstock.state.sqlite.session_rows import SessionRows, note_use, retire

# What one piece takes at most, so that nobody waits for it long: rows, and bytes of messages.
_ROWS: Final = 200
_BYTES: Final = 4 * 1024 * 1024

_UNUSED: Final = "SELECT number, tenant, session_id FROM sessions WHERE used_us <= ? ORDER BY used_us LIMIT ?"
_DROPPED: Final = "SELECT session FROM dropped_sessions LIMIT 1"
_OLD_VERSIONS: Final = (
    "SELECT tenant, session_id FROM session_versions WHERE dropped_us < ? ORDER BY dropped_us LIMIT ?"
)


class SessionExpiry:
    """Sweeps sessions: a bounded piece each time."""

    def __init__(self, database: Database, clock: StoreClock, rows: SessionRows) -> None:
        self._database = database
        self._clock = clock
        self._rows = rows

    async def sweep(self) -> bool:
        """Does a piece; True: there is more."""
        now_us = self._clock.now_us()
        unused_us = self._rows.unused_since(now_us)
        old_us = now_us - LARGEST_STEP_US
        reader = self._database.reader
        more = False
        if reader.execute(_UNUSED, (unused_us, 1)).fetchone():
            more |= await self._database.write(partial(_expire, unused_us, now_us))
        if reader.execute(_DROPPED).fetchone():
            more |= await self._database.write(_clear_away)
        if reader.execute(_OLD_VERSIONS, (old_us, 1)).fetchone():
            more |= await self._database.write(partial(_forget_versions, old_us))
        return more


def _expire(unused_us: int, now_us: int, transaction: Transaction) -> bool:
    connection = transaction.connection
    rows = connection.execute(_UNUSED, (unused_us, _ROWS)).fetchall()
    for number, tenant, session_id in rows:
        if first_unfinished(connection, tenant, session_id) is None:
            retire(connection, tenant, session_id, now_us)
        else:
            note_use(connection, number, now_us)  # its run uses it; looked at again when that may have ended
    return len(rows) == _ROWS


def _clear_away(transaction: Transaction) -> bool:
    connection = transaction.connection
    row = connection.execute(_DROPPED).fetchone()
    if row is None:
        return False
    (number,) = row
    if _clear_messages(connection, number) and all(
        _clear(connection, table, number) for table in ("turns", "cut_messages")
    ):
        connection.execute("DELETE FROM dropped_sessions WHERE session = ?", (number,))
        return connection.execute(_DROPPED).fetchone() is not None
    return True


def _clear_messages(connection: sqlite3.Connection, number: int) -> bool:
    """Deletes a piece of a session's messages; True: that were all."""
    rows = connection.execute(
        "SELECT place, length(body) FROM messages WHERE session = ? ORDER BY place LIMIT ?", (number, _ROWS)
    ).fetchall()
    size = 0
    until = -1
    for place, length in rows:
        if size > _BYTES:
            break
        size += length
        until = place
    connection.execute("DELETE FROM messages WHERE session = ? AND place <= ?", (number, until))
    return not rows


def _clear(connection: sqlite3.Connection, table: str, number: int) -> bool:
    """Deletes a piece of a session's rows in another table; True: that were all."""
    deleted = connection.execute(
        f"DELETE FROM {table} WHERE session = ?1 AND place IN "
        f"(SELECT place FROM {table} WHERE session = ?1 ORDER BY place LIMIT ?2)",
        (number, _ROWS),
    )
    return deleted.rowcount < _ROWS


def _forget_versions(old_us: int, transaction: Transaction) -> bool:
    rows = transaction.connection.execute(_OLD_VERSIONS, (old_us, _ROWS)).fetchall()
    transaction.connection.executemany("DELETE FROM session_versions WHERE tenant = ? AND session_id = ?", rows)
    return len(rows) == _ROWS
