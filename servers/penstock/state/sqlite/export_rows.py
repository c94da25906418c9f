"""What an export reads of the rows that no service shows as they are."""

import sqlite3
from contextlib import closing

from penstock.state.care import RecordKind, RecordName
from penstock.state.sqlite.run_rows import read_record
from penstock.state.sqlite.topic_rows import find_topic
from penstock.state.stores import Page
from penstock.state.topic_store import OWN_GROUP_PREFIX, REPLY_PREFIX
from penstock.v1.event_pb2 import DeliveredEvent, TopicEvent
from penstock.v1.state_admin_pb2 import (
    ExportedDelivery,
    ExportedGroup,
    ExportedRun,
    ExportedTopic,
    ExportedTopicEvents,
    GenerationBase,
)
from penstock.wire.errors import InvalidArgument

# A tenant's id has no NUL, so that tenant and name come apart again. Reply addresses end with those who wait there.
_NAMES = {
    RecordKind.VALUE: "SELECT tenant, key FROM stored_values WHERE (tenant, key) > (?, ?) AND live = 1 "
    "ORDER BY tenant, key LIMIT ?",
    RecordKind.SESSION: "SELECT tenant, session_id FROM sessions WHERE (tenant, session_id) > (?, ?) "
    "ORDER BY tenant, session_id LIMIT ?",
    RecordKind.TOPIC: "SELECT tenant, topic FROM topics WHERE (tenant, topic) > (?, ?) "
    f"AND substr(topic, 1, {len(REPLY_PREFIX)}) <> '{REPLY_PREFIX}' ORDER BY tenant, topic LIMIT ?",
}
_RUN_NAMES = "SELECT number, tenant, run_id FROM runs WHERE number > ? ORDER BY number LIMIT ?"


def record_names(connection: sqlite3.Connection, kind: RecordKind, after: bytes, limit: int) -> Page[RecordName]:
    """Lists records; see StoreCare."""
    try:
        names = _names_after(connection, kind, after, limit)
    except (UnicodeDecodeError, OverflowError):
        wrong = ("after_cursor", "is not the cursor of an exported record; begin anew without one")
        raise InvalidArgument.of([wrong]) from None
    return Page(names, names[-1].place if len(names) == limit else None)


def _names_after(connection: sqlite3.Connection, kind: RecordKind, after: bytes, limit: int) -> list[RecordName]:
    names: list[RecordName] = []
    if kind is RecordKind.RUN:
        rows = connection.execute(_RUN_NAMES, (int.from_bytes(after, "big"), limit))
        names.extend(RecordName(tenant, run_id, number.to_bytes(8, "big")) for number, tenant, run_id in rows)
    else:
        tenant_after, _, name_after = after.partition(b"\0")
        # Keys are kept as bytes, all other names as text; the two never compare as equal.
        begin = name_after if kind is RecordKind.VALUE else name_after.decode()
        for tenant, name in connection.execute(_NAMES[kind], (tenant_after.decode(), begin, limit)):
            data = name if isinstance(name, bytes) else name.encode()
            names.append(RecordName(tenant, data.decode(), tenant.encode() + b"\0" + data))
    return names


def exported_run(connection: sqlite3.Connection, tenant: str, run_id: str) -> ExportedRun | None:
    """Returns a run; see StoreCare."""
    record = read_record(connection, tenant, run_id, whole_spec=True)
    if record is None:
        return None
    number, signals, waiting, output_sequence = connection.execute(
        "SELECT number, signals, waiting, output_sequence FROM runs WHERE tenant = ? AND run_id = ?", (tenant, run_id)
    ).fetchone()
    record.owner_instance_id = ""
    bases = connection.execute("SELECT generation, last_common FROM bases WHERE run = ? ORDER BY generation", (number,))
    return ExportedRun(
        record=record,
        signals_sent=signals,
        waiting_step_ids=waiting.split(),
        output_sequence=output_sequence,
        bases=[GenerationBase(generation=generation, last_common_sequence=last) for generation, last in bases],
    )


def exported_topic(connection: sqlite3.Connection, tenant: str, topic: str) -> ExportedTopic | None:
    """Returns a topic; see StoreCare."""
    found = find_topic(connection, tenant, topic)
    if found is None:
        return None
    exported = ExportedTopic(tenant=tenant, topic=topic, next_position=found.next_position)
    groups = connection.execute(
        "SELECT number, name, next_position FROM topic_groups WHERE topic = ? AND substr(name, 1, 1) <> ? "
        "ORDER BY name",
        (found.number, OWN_GROUP_PREFIX),
    ).fetchall()
    for number, name, next_position in groups:
        deliveries = connection.execute(
            "SELECT position, delivery, reason FROM topic_deliveries WHERE topic_group = ? ORDER BY position", (number,)
        )
        exported.groups.append(
            ExportedGroup(
                group=name,
                next_position=next_position,
                deliveries=[
                    ExportedDelivery(position=position, delivery=delivery, reason=reason)
                    for position, delivery, reason in deliveries
                ],
            )
        )
    return exported


def exported_topic_events(
    connection: sqlite3.Connection, tenant: str, topic: str, after: int, max_bytes: int
) -> ExportedTopicEvents:
    """Returns events of a topic; see StoreCare."""
    exported = ExportedTopicEvents(tenant=tenant, topic=topic)
    rows = connection.execute(
        "SELECT position, dead_letter_reason, body FROM topic_events AS kept JOIN topics ON topics.number = kept.topic "
        "WHERE tenant = ? AND topics.topic = ? AND position >= first_position AND position > ? ORDER BY position",
        (tenant, topic, after),
    )
    size = 0
    with closing(rows):
        for position, reason, body in rows:
            size += len(body) + len(reason.encode())
            if exported.events and size > max_bytes:
                break
            exported.events.append(
                DeliveredEvent(position=position, event=TopicEvent.FromString(body), dead_letter_reason=reason)
            )
    return exported
