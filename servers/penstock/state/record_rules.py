"""Checking records that are to be taken in: that each says whose it is and what, as a file written by hand may not."""

from typing import Final

from penstock.state.violations import Violations
from penstock.v1.state_admin_pb2 import StoreRecord

# Beyond these the versions and numbers that follow would find no room.
_MOST: Final = 2**62


def check_identified(record: StoreRecord) -> None:
    """Raises InvalidArgument for a record without a name, or without what it is to bring."""
    violations = Violations()
    kind = record.WhichOneof("record") or ""
    match kind:
        case "value":
            violations.id("records.value.tenant", record.value.tenant)
            violations.key("records.value.value.key", record.value.value.key)
            _number(violations, "records.value.value.version", record.value.value.version, least=1)
        case "session":
            session = record.session.session
            _named(violations, "session", record.session.tenant, "session.session_id", session.session_id)
            _number(violations, "records.session.session.data_version", session.data_version)
            _number(violations, "records.session.session.first_index", session.first_index)
        case "messages":
            _named(violations, "messages", record.messages.tenant, "session_id", record.messages.session_id)
            violations.count("records.messages.messages", len(record.messages.messages), least=1)
        case "events":
            _named(violations, "events", record.events.tenant, "run_id", record.events.run_id)
            violations.count("records.events.events", len(record.events.events), _MOST, least=1)
        case "run":
            run = record.run.record.run
            _named(violations, "run", record.run.record.tenant, "record.run.run_id", run.run_id)
            violations.id("records.run.record.run.session_id", run.session_id, optional=True)
            if not run.state:
                violations.add("records.run.record.run.state", "is missing")
        case "topic":
            violations.id("records.topic.tenant", record.topic.tenant)
            _number(violations, "records.topic.next_position", record.topic.next_position)
        case "topic_events":
            violations.id("records.topic_events.tenant", record.topic_events.tenant)
            violations.count("records.topic_events.events", len(record.topic_events.events), _MOST, least=1)
    violations.raise_any()


def _named(violations: Violations, kind: str, tenant: str, field: str, name: str) -> None:
    violations.id(f"records.{kind}.tenant", tenant)
    violations.id(f"records.{kind}.{field}", name)


def _number(violations: Violations, field: str, number: int, *, least: int = 0) -> None:
    if not least <= number <= _MOST:
        violations.add(field, f"is {number}; must be {least} to {_MOST}")
