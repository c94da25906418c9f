"""What groups have got and not answered."""

import sqlite3
from typing import NamedTuple

from penstock.state.topic_store import STREAM_ENDED


class Due(NamedTuple):
    """Represents a delivery that is to be made again; `stream` is whose it was, empty when it was given back or failed,
    and `reason` then tells why."""

    position: int
    stream: str
    delivery: int
    reason: str


class Kept(NamedTuple):
    """Represents an event as the store has it."""

    position: int
    dead_letter_reason: str
    body: bytes

    @property
    def size(self) -> int:
        """How many bytes of a message it takes."""
        return len(self.body) + len(self.dead_letter_reason.encode())


def due_deliveries(connection: sqlite3.Connection, group: int, now_us: int, limit: int) -> list[Due]:
    """Returns what is to be delivered again, the oldest first."""
    rows = connection.execute(
        "SELECT position, stream, delivery, reason FROM topic_deliveries "
        "WHERE topic_group = ? AND due_us <= ? ORDER BY position LIMIT ?",
        (group, now_us, limit),
    )
    return [Due(*row) for row in rows]


def next_due(connection: sqlite3.Connection, group: int, now_us: int) -> int | None:
    """Returns the time after now at which something is delivered again unless it is answered; None: there is none."""
    (due_us,) = connection.execute(
        "SELECT min(due_us) FROM topic_deliveries WHERE topic_group = ? AND due_us > ?", (group, now_us)
    ).fetchone()
    return None if due_us is None else int(due_us)


def kept_event(connection: sqlite3.Connection, topic: int, position: int) -> Kept | None:
    """Returns an event; None: it is not kept any more."""
    row = connection.execute(
        "SELECT position, dead_letter_reason, body FROM topic_events WHERE topic = ? AND position = ?",
        (topic, position),
    ).fetchone()
    return None if row is None else Kept(*row)


def deliver(connection: sqlite3.Connection, group: int, position: int, stream: str, delivery: int, due_us: int) -> None:
    """Notes that a stream has an event, for the first time or again."""
    connection.execute(
        "INSERT OR REPLACE INTO topic_deliveries VALUES (?, ?, ?, ?, ?, '')",
        (group, position, stream, delivery, due_us),
    )


def settle(connection: sqlite3.Connection, group: int, position: int) -> None:
    """Notes that an event is done with."""
    connection.execute("DELETE FROM topic_deliveries WHERE topic_group = ? AND position = ?", (group, position))


def fail(connection: sqlite3.Connection, group: int, position: int, reason: str) -> None:
    """Has an event delivered again."""
    connection.execute(
        "UPDATE topic_deliveries SET stream = '', due_us = 0, reason = ? WHERE topic_group = ? AND position = ?",
        (reason, group, position),
    )


def stream_of(connection: sqlite3.Connection, group: int, position: int) -> str | None:
    """Returns the stream that has an event; empty: none any more; None: nothing waits for an answer."""
    row = connection.execute(
        "SELECT stream FROM topic_deliveries WHERE topic_group = ? AND position = ?", (group, position)
    ).fetchone()
    return None if row is None else row[0]


def prolong(connection: sqlite3.Connection, group: int, stream: str, after: int, now_us: int, due_us: int) -> None:
    """Gives a stream more time for what it has after a position, unless its time is over."""
    connection.execute(
        "UPDATE topic_deliveries SET due_us = ? WHERE topic_group = ? AND position > ? AND stream = ? AND due_us > ?",
        (due_us, group, after, stream, now_us),
    )


def give_back(connection: sqlite3.Connection, group: int, stream: str) -> None:
    """Has all that a stream has delivered again; only the oldest counts, because the others were waiting behind it."""
    (oldest,) = connection.execute(
        "SELECT min(position) FROM topic_deliveries WHERE topic_group = ? AND stream = ?", (group, stream)
    ).fetchone()
    connection.execute(
        "UPDATE topic_deliveries SET stream = '', due_us = 0, reason = ?, delivery = delivery - (position > ?) "
        "WHERE topic_group = ? AND stream = ?",
        (STREAM_ENDED, oldest, group, stream),
    )


def give_back_all(connection: sqlite3.Connection) -> None:
    """Has delivered again whatever any stream has; none of it counts, because it is not their fault."""
    connection.execute(
        "UPDATE topic_deliveries SET stream = '', due_us = 0, delivery = delivery - 1 WHERE stream <> ''"
    )
