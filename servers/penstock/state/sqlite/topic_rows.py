"""The rows of topics and their events."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from penstock.state.clock import to_timestamp
from penstock.v1.event_pb2 import TopicEvent

_TRIMMED_AT_ONCE = 1000


class TopicRow(NamedTuple):
    """Represents a topic's number in the store, the oldest position kept, and the one to be given next."""

    number: int
    first_position: int
    next_position: int


class NewEvent(NamedTuple):
    """Represents an event to be appended; `key` is what the topic knows it by."""

    key: str
    body: bytes
    dead_letter_reason: str = ""


def find_topic(connection: sqlite3.Connection, tenant: str, topic: str) -> TopicRow | None:
    """Returns a topic; None: there is none."""
    row = connection.execute(
        "SELECT number, first_position, next_position FROM topics WHERE tenant = ? AND topic = ?", (tenant, topic)
    ).fetchone()
    return None if row is None else TopicRow(*row)


def ensure_topic(connection: sqlite3.Connection, tenant: str, topic: str, now_us: int) -> TopicRow:
    """Returns a topic, making it where there is none."""
    found = find_topic(connection, tenant, topic)
    if found is not None:
        return found
    cursor = connection.execute(
        "INSERT INTO topics (tenant, topic, first_position, next_position, used_us) VALUES (?, ?, 1, 1, ?)",
        (tenant, topic, now_us),
    )
    return TopicRow(int(cursor.lastrowid or 0), 1, 1)


def stamped(event: TopicEvent, now_us: int) -> NewEvent:
    """Makes of a published event what is stored."""
    stored = TopicEvent()
    stored.CopyFrom(event)
    stored.time.CopyFrom(to_timestamp(now_us))
    return NewEvent(event.event_id, stored.SerializeToString())


def append_events(
    connection: sqlite3.Connection, topic: TopicRow, events: Sequence[NewEvent], now_us: int, most_events: int
) -> tuple[list[int], bool]:
    """Appends events, those apart whose keys are there, and trims what is more than `most_events`.

    Returns the position of each, and whether any was new.
    """
    positions: list[int] = []
    following = topic.next_position
    for event in events:
        row = connection.execute(
            "SELECT position FROM topic_events WHERE topic = ? AND event_key = ?", (topic.number, event.key)
        ).fetchone()
        if row is not None:
            positions.append(row[0])
            continue
        connection.execute(
            "INSERT INTO topic_events VALUES (?, ?, ?, ?, ?, ?)",
            (topic.number, following, event.key, now_us, event.dead_letter_reason, event.body),
        )
        positions.append(following)
        following += 1
    if following == topic.next_position:
        return positions, False
    connection.execute(
        "UPDATE topics SET next_position = ?, used_us = ?, oldest_us = ifnull(oldest_us, ?) WHERE number = ?",
        (following, now_us, now_us, topic.number),
    )
    if following - topic.first_position > most_events:
        # A limit that was lowered far is reached by and by.
        until = min(following - most_events, topic.first_position + len(events) + _TRIMMED_AT_ONCE)
        trim_events(connection, topic.number, until)
    return positions, True


def trim_events(connection: sqlite3.Connection, topic: int, until: int) -> None:
    """Drops a topic's events before a position."""
    connection.execute("DELETE FROM topic_events WHERE topic = ? AND position < ?", (topic, until))
    connection.execute(
        "UPDATE topics SET first_position = ?2, "
        "oldest_us = (SELECT time_us FROM topic_events WHERE topic = ?1 AND position >= ?2 ORDER BY position LIMIT 1) "
        "WHERE number = ?1",
        (topic, until),
    )
