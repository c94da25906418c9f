"""The rows of conversations: found, made, grown, cut to their limit, and forgotten when nobody uses them."""

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from penstock.state.clock import to_timestamp
from penstock.state.log.head import RunHead
from penstock.state.settings import StateSettings
from penstock.state.sqlite.heads import HeadCache
from penstock.state.sqlite.run_rows import first_unfinished, unfinished_of_session
from penstock.state.sqlite.turns import first_to_keep, forget_cut, note_turn
from penstock.v1.session_pb2 import SessionMessage

# Numbers of sessions that are gone are not given again while anything of theirs is left.
_NEXT_NUMBER: Final = (
    "SELECT 1 + max(coalesce((SELECT max(number) FROM sessions), 0), "
    "coalesce((SELECT max(session) FROM dropped_sessions), 0))"
)


class SessionRow(NamedTuple):
    """Represents a session's number in the store, the indexes of its oldest and its next message, and its last use."""

    number: int
    first_index: int
    next_index: int
    used_us: int


class SessionRows:
    """Keeps the rows of sessions to their limits of length and age."""

    def __init__(self, heads: HeadCache, settings: StateSettings) -> None:
        self._heads = heads
        self._limit = settings.history_limit
        self._ttl_us = round(settings.session_ttl * 1e6)

    def unused_since(self, now_us: int) -> int:
        """Returns the last use at or before which sessions have expired; negative: none ever does."""
        return now_us - self._ttl_us if self._ttl_us else -1

    def used_long_ago(self, session: SessionRow, now_us: int) -> bool:
        """Tells whether a mere read is worth a note, so that reading costs few writes."""
        return bool(self._ttl_us) and session.used_us < now_us - self._ttl_us // 10

    def find(self, connection: sqlite3.Connection, tenant: str, session_id: str, now_us: int) -> SessionRow | None:
        """Returns a session; None: there is none, or it has expired."""
        row = connection.execute(
            "SELECT number, first_index, next_index, used_us FROM sessions WHERE tenant = ? AND session_id = ?",
            (tenant, session_id),
        ).fetchone()
        if row is None:
            return None
        session = SessionRow(*row)
        if session.used_us <= self.unused_since(now_us) and first_unfinished(connection, tenant, session_id) is None:
            return None
        return session

    def ensure(self, connection: sqlite3.Connection, tenant: str, session_id: str, now_us: int) -> SessionRow:
        """Returns a session, making it where there is none."""
        found = self.find(connection, tenant, session_id, now_us)
        if found is not None:
            return found
        retire(connection, tenant, session_id, now_us)
        (number,) = connection.execute(_NEXT_NUMBER).fetchone()
        connection.execute(
            "INSERT INTO sessions (number, tenant, session_id, first_index, next_index, created_us, updated_us, "
            "used_us) VALUES (?, ?, ?, 0, 0, ?, ?, ?)",
            (number, tenant, session_id, now_us, now_us, now_us),
        )
        return SessionRow(number, 0, 0, now_us)

    def fix_history(self, connection: sqlite3.Connection, head: RunHead, now_us: int) -> None:
        """Notes which messages of its session a run reads: those that are there now."""
        if head.session_id:
            session = self.ensure(connection, head.tenant, head.session_id, now_us)
            head.record.history_first_index = session.first_index
            head.record.history_index = session.next_index

    def take(
        self, connection: sqlite3.Connection, head: RunHead, messages: Sequence[SessionMessage], now_us: int
    ) -> None:
        """Appends what a run says to its session, which is thereby used."""
        session = self.ensure(connection, head.tenant, head.session_id, now_us)
        if messages:
            self.append(connection, (head.tenant, head.session_id), session, messages, now_us, writer=head)
        else:
            note_use(connection, session.number, now_us)

    def append(
        self,
        connection: sqlite3.Connection,
        name: tuple[str, str],
        session: SessionRow,
        messages: Sequence[SessionMessage],
        now_us: int,
        *,
        writer: RunHead | None = None,
    ) -> tuple[list[int], int]:
        """Appends messages, those apart whose ids are there; returns the index of each, and the next one.

        `writer` is the run that they come from, as it will stand; what a run at work reads is not cut.
        """
        places: list[int] = []
        time = to_timestamp(now_us)
        next_index = session.next_index
        for message in messages:
            place = place_of(connection, session, message.message_id)
            if place is None:
                place, next_index = next_index, next_index + 1
                stored = SessionMessage()
                stored.CopyFrom(message)
                stored.index = place
                stored.time.CopyFrom(time)
                connection.execute(
                    "INSERT INTO messages VALUES (?, ?, ?, ?)",
                    (session.number, place, message.message_id, stored.SerializeToString()),
                )
                note_turn(connection, session.number, session.first_index, stored)
            places.append(place)
        first_index = session.first_index
        if next_index - first_index > self._limit and not self._is_read(connection, name, writer):
            first_index = max(first_index, first_to_keep(connection, session.number, next_index - self._limit))
        if next_index > session.next_index:
            connection.execute(
                "UPDATE sessions SET first_index = ?, next_index = ?, updated_us = ?, used_us = ? WHERE number = ?",
                (first_index, next_index, now_us, now_us, session.number),
            )
            if first_index:
                forget_cut(connection, session.number, first_index)
        else:
            note_use(connection, session.number, now_us)
        return places, next_index

    def _is_read(self, connection: sqlite3.Connection, name: tuple[str, str], writer: RunHead | None) -> bool:
        """Tells whether a run that is not terminal has its history fixed; only the session's oldest can have."""
        if writer is not None and not writer.finished and writer.record.epoch:
            return True
        ending = "" if writer is None else writer.run_id
        unfinished = [run for run in unfinished_of_session(connection, *name, limit=2) if run != ending]
        head = self._heads.get(connection, name[0], unfinished[0]) if unfinished else None
        return head is not None and head.record.epoch > 0


def place_of(connection: sqlite3.Connection, session: SessionRow, message_id: str) -> int | None:
    """Returns the index of a message, also of one that was cut not long ago; None: the session doesn't have it."""
    name = (session.number, message_id)
    row = connection.execute("SELECT place FROM messages WHERE session = ? AND message_id = ?", name).fetchone()
    if row is None and session.first_index:
        row = connection.execute("SELECT place FROM cut_messages WHERE session = ? AND message_id = ?", name).fetchone()
    return None if row is None else row[0]


def note_use(connection: sqlite3.Connection, number: int, now_us: int) -> None:
    """Notes that a session was used."""
    connection.execute("UPDATE sessions SET used_us = ? WHERE number = ?", (now_us, number))


def retire(connection: sqlite3.Connection, tenant: str, session_id: str, now_us: int) -> bool:
    """Takes a session out of sight, whatever its length; the sweep clears it away. False: there was none."""
    row = connection.execute(
        "SELECT number, version FROM sessions LEFT JOIN session_data ON session = number "
        "WHERE tenant = ? AND session_id = ?",
        (tenant, session_id),
    ).fetchone()
    if row is None:
        return False
    number, version = row
    if version is not None:
        # Of its free data the version stays, so that none ever comes twice.
        connection.execute(
            "INSERT OR REPLACE INTO session_versions VALUES (?, ?, ?, ?)", (tenant, session_id, version, now_us)
        )
        connection.execute("DELETE FROM session_data WHERE session = ?", (number,))
    connection.execute("DELETE FROM sessions WHERE number = ?", (number,))
    connection.execute("INSERT INTO dropped_sessions VALUES (?)", (number,))
    return True
