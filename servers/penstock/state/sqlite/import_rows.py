"""Writing exported values, sessions and topics into rows, as they were."""

import sqlite3

from penstock.state.clock import from_timestamp
from penstock.state.sqlite.session_rows import SessionRows
from penstock.state.sqlite.topic_rows import find_topic
from penstock.state.sqlite.turns import note_turn
from penstock.state.topic_store import imported_name
from penstock.v1.state_admin_pb2 import (
    ExportedMessages,
    ExportedSession,
    ExportedTopic,
    ExportedTopicEvents,
    ExportedValue,
)
from penstock.v1.state_pb2 import ValueMetadata
from penstock.wire.errors import FailedPrecondition


def add_value(connection: sqlite3.Connection, exported: ExportedValue, now_us: int) -> bool:
    """Writes a value; see StoreCare."""
    value = exported.value
    name = (exported.tenant, value.key.encode())
    there = connection.execute(
        "SELECT 1 FROM stored_values WHERE tenant = ?1 AND key = ?2 "
        "AND ((live = 1 AND (expire_us IS NULL OR expire_us > ?3)) OR version > ?4)",
        (*name, now_us, value.version),
    ).fetchone()
    if there is not None:
        return False
    # What was deleted there before has a version that is no newer than the clock, which the next one will be.
    connection.execute("DELETE FROM stored_values WHERE tenant = ? AND key = ?", name)
    connection.execute(
        "INSERT INTO stored_values (tenant, key, version, live, created_us, updated_us, expire_us, metadata, data) "
        "VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?)",
        (
            *name,
            value.version,
            from_timestamp(value.create_time),
            from_timestamp(value.update_time),
            from_timestamp(value.expire_time) if value.HasField("expire_time") else None,
            ValueMetadata(entries=value.metadata).SerializeToString(),
            value.data,
        ),
    )
    return True


def add_session(connection: sqlite3.Connection, rows: SessionRows, exported: ExportedSession, now_us: int) -> bool:
    """Makes a session; see StoreCare."""
    tenant, session = exported.tenant, exported.session
    if rows.find(connection, tenant, session.session_id, now_us) is not None:
        return False
    made = rows.ensure(connection, tenant, session.session_id, now_us)
    connection.execute(
        "UPDATE sessions SET first_index = ?, next_index = ?, created_us = ? WHERE number = ?",
        (session.first_index, session.first_index, from_timestamp(session.create_time), made.number),
    )
    _set_data(connection, made.number, exported)
    return True


def forward_session(connection: sqlite3.Connection, rows: SessionRows, exported: ExportedSession, now_us: int) -> None:
    """Brings a session up to a newer state; see StoreCare."""
    found = rows.find(connection, exported.tenant, exported.session.session_id, now_us)
    if found is None:
        return
    (updated_us,) = connection.execute("SELECT updated_us FROM sessions WHERE number = ?", (found.number,)).fetchone()
    if updated_us >= from_timestamp(exported.session.update_time):
        return  # it has gone on here meanwhile
    first_index = exported.session.first_index
    if first_index > found.next_index:
        for table in ("messages", "turns"):
            connection.execute(f"DELETE FROM {table} WHERE session = ?", (found.number,))
        connection.execute(
            "UPDATE sessions SET first_index = ?, next_index = ? WHERE number = ?",
            (first_index, first_index, found.number),
        )
    _set_data(connection, found.number, exported)


def _set_data(connection: sqlite3.Connection, number: int, exported: ExportedSession) -> None:
    session = exported.session
    connection.execute(
        "UPDATE sessions SET updated_us = ? WHERE number = ?", (from_timestamp(session.update_time), number)
    )
    if session.data_version:
        connection.execute(
            "INSERT INTO session_data VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE "
            "SET version = excluded.version, data_json = excluded.data_json WHERE version < excluded.version",
            (number, session.data_version, session.data_json),
        )


def add_messages(connection: sqlite3.Connection, rows: SessionRows, exported: ExportedMessages, now_us: int) -> None:
    """Appends messages; see StoreCare."""
    found = rows.find(connection, exported.tenant, exported.session_id, now_us)
    if found is None or not exported.messages or exported.messages[0].index != found.next_index:
        raise FailedPrecondition(f"session {exported.session_id} of tenant {exported.tenant} was changed meanwhile")
    for message in exported.messages:
        connection.execute(
            "INSERT INTO messages VALUES (?, ?, ?, ?)",
            (found.number, message.index, message.message_id, message.SerializeToString()),
        )
        note_turn(connection, found.number, found.first_index, message)
    connection.execute(
        "UPDATE sessions SET next_index = ?, used_us = ? WHERE number = ?",
        (exported.messages[-1].index + 1, now_us, found.number),
    )


def add_topic(connection: sqlite3.Connection, exported: ExportedTopic, now_us: int) -> bool:
    """Makes a topic with its groups; see StoreCare."""
    if find_topic(connection, exported.tenant, exported.topic) is not None:
        return False
    topic = connection.execute(
        "INSERT INTO topics (tenant, topic, first_position, next_position, used_us) VALUES (?, ?, ?, ?, ?)",
        (exported.tenant, exported.topic, exported.next_position, exported.next_position, now_us),
    ).lastrowid
    for group in exported.groups:
        number = connection.execute(
            "INSERT INTO topic_groups (topic, name, next_position, seen_us) VALUES (?, ?, ?, ?)",
            (topic, group.group, group.next_position, now_us),
        ).lastrowid
        # Due at once: whoever had them is not there any more.
        connection.executemany(
            "INSERT INTO topic_deliveries VALUES (?, ?, '', ?, 0, ?)",
            [(number, given.position, given.delivery, given.reason) for given in group.deliveries],
        )
    return True


def add_topic_events(connection: sqlite3.Connection, exported: ExportedTopicEvents) -> bool:
    """Adds events to a topic; see StoreCare."""
    topic = find_topic(connection, exported.tenant, exported.topic)
    if topic is None or not exported.events or exported.events[-1].position >= topic.next_position:
        return False
    (newest,) = connection.execute("SELECT max(position) FROM topic_events WHERE topic = ?", (topic.number,)).fetchone()
    first = exported.events[0].position
    if newest is not None and newest >= first:
        return False
    for given in exported.events:
        connection.execute(
            "INSERT INTO topic_events VALUES (?, ?, ?, ?, ?, ?)",
            (
                topic.number,
                given.position,
                imported_name(exported.topic, given),
                from_timestamp(given.event.time),
                given.dead_letter_reason,
                given.event.SerializeToString(),
            ),
        )
    if newest is None:
        connection.execute(
            "UPDATE topics SET first_position = ?, oldest_us = ? WHERE number = ?",
            (first, from_timestamp(exported.events[0].event.time), topic.number),
        )
    return True
