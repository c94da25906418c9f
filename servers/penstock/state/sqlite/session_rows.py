"""The rows of conversations."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from penstock.state.clock import to_timestamp
from penstock.v1.session_pb2 import SessionMessage


class SessionRow(NamedTuple):
    """Represents a session's number in the store, and the indexes of its oldest and its next message."""

    number: int
    first_index: int
    next_index: int


def find_session(connection: sqlite3.Connection, tenant: str, session_id: str) -> SessionRow | None:
    """Returns a session; None: there is none."""
    row = connection.execute(
        "SELECT number, first_index, next_index FROM sessions WHERE tenant = ? AND session_id = ?",
        (tenant, session_id),
    ).fetchone()
    return None if row is None else SessionRow(*row)


def ensure_session(connection: sqlite3.Connection, tenant: str, session_id: str, now_us: int) -> SessionRow:
    """Returns a session, making it where there is none."""
    found = find_session(connection, tenant, session_id)
    if found is not None:
        return found
    cursor = connection.execute(
        "INSERT INTO sessions (tenant, session_id, first_index, next_index, created_us, updated_us) "
        "VALUES (?, ?, 0, 0, ?, ?)",
        (tenant, session_id, now_us, now_us),
    )
    return SessionRow(int(cursor.lastrowid or 0), 0, 0)


def place_of(connection: sqlite3.Connection, session: int, message_id: str) -> int | None:
    """Returns the index of a message; None: the session doesn't have it."""
    row = connection.execute(
        "SELECT place FROM messages WHERE session = ? AND message_id = ?", (session, message_id)
    ).fetchone()
    return None if row is None else row[0]


def append_messages(
    connection: sqlite3.Connection, session: SessionRow, messages: Sequence[SessionMessage], now_us: int
) -> tuple[list[int], int]:
    """Appends messages, those apart whose ids are there; returns the index of each, and the next one."""
    places: list[int] = []
    time = to_timestamp(now_us)
    next_index = session.next_index
    for message in messages:
        place = place_of(connection, session.number, message.message_id)
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
        places.append(place)
    if next_index > session.next_index:
        connection.execute(
            "UPDATE sessions SET next_index = ?, updated_us = ? WHERE number = ?", (next_index, now_us, session.number)
        )
    return places, next_index
