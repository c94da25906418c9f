"""Checking records that are to be taken in: that each says whose it is and what, as a file written by hand may not."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from penstock.state.violations import Violations
from penstock.v1.run_pb2 import RunState
from penstock.v1.state_admin_pb2 import ExportedRun, ExportedTopic, StoreRecord

# As far as every store counts exactly, those in doubles too.
_MOST: Final = 2**53
_STATES: Final = frozenset(RunState.values())


def check_identified(record: StoreRecord) -> None:
    """Raises InvalidArgument for a record without a name, without what it is to bring, or with numbers or times that
    nothing can have."""
    violations = Violations()
    kind = record.WhichOneof("record") or ""
    match kind:
        case "value":
            value = record.value.value
            violations.id("records.value.tenant", record.value.tenant)
            violations.key("records.value.value.key", value.key)
            _number(violations, "records.value.value.version", value.version, least=1)
            for name in ("create_time", "update_time", "expire_time"):
                violations.time(f"records.value.value.{name}", getattr(value, name))
        case "session":
            session = record.session.session
            _named(violations, "session", record.session.tenant, "session.session_id", session.session_id)
            _number(violations, "records.session.session.data_version", session.data_version)
            _number(violations, "records.session.session.first_index", session.first_index)
            for name in ("create_time", "update_time"):
                violations.time(f"records.session.session.{name}", getattr(session, name))
        case "messages":
            _named(violations, "messages", record.messages.tenant, "session_id", record.messages.session_id)
            messages = record.messages.messages
            violations.count("records.messages.messages", len(messages), least=1)
            indexes = [message.index for message in messages]
            _in_order(violations, "records.messages.messages.index", indexes, least=0, gapless=False)
        case "events":
            _named(violations, "events", record.events.tenant, "run_id", record.events.run_id)
            _number(violations, "records.events.generation", record.events.generation)
            events = record.events.events
            violations.count("records.events.events", len(events), _MOST, least=1)
            _in_order(violations, "records.events.events.sequence", [event.sequence for event in events])
        case "run":
            _check_run(violations, record.run)
        case "topic":
            _check_topic(violations, record.topic)
        case "topic_events":
            _named(violations, "topic_events", record.topic_events.tenant, "topic", record.topic_events.topic)
            given = record.topic_events.events
            violations.count("records.topic_events.events", len(given), _MOST, least=1)
            positions = [one.position for one in given]
            _in_order(violations, "records.topic_events.events.position", positions, gapless=False)
            _times(violations, "records.topic_events.events.event.time", (one.event.time for one in given))
    violations.raise_any()


def _check_run(violations: Violations, exported: ExportedRun) -> None:
    record, run = exported.record, exported.record.run
    _named(violations, "run", record.tenant, "record.run.run_id", run.run_id)
    violations.id("records.run.record.run.session_id", run.session_id, optional=True)
    if not run.state:
        violations.add("records.run.record.run.state", "is missing")
    elif run.state not in _STATES:
        violations.add("records.run.record.run.state", f"is {run.state}, which is not known here")
    for name in ("last_sequence", "generation"):
        _number(violations, f"records.run.record.run.{name}", getattr(run, name))
    for name in ("create_time", "finish_time", "deadline_time"):
        violations.time(f"records.run.record.run.{name}", getattr(run, name))
    for name in ("signals_sent", "output_sequence"):
        _number(violations, f"records.run.{name}", getattr(exported, name))
    signals = [signal.signal_number for signal in record.pending_signals]
    _in_order(violations, "records.run.record.pending_signals.signal_number", signals, gapless=False)
    if len({signal.signal_id for signal in record.pending_signals}) < len(signals):
        violations.add("records.run.record.pending_signals", "has a signal twice")
    generations = [base.generation for base in exported.bases]
    _in_order(violations, "records.run.bases.generation", generations, least=0, gapless=False)
    for base in exported.bases:
        _number(violations, "records.run.bases.last_common_sequence", base.last_common_sequence)


def _check_topic(violations: Violations, exported: ExportedTopic) -> None:
    _named(violations, "topic", exported.tenant, "topic", exported.topic)
    _number(violations, "records.topic.next_position", exported.next_position, least=1)
    for group in exported.groups:
        violations.id("records.topic.groups.group", group.group)
        _number(violations, "records.topic.groups.next_position", group.next_position, least=1)
        _in_order(
            violations,
            "records.topic.groups.deliveries.position",
            [given.position for given in group.deliveries],
            gapless=False,
        )
    if len({group.group for group in exported.groups}) < len(exported.groups):
        violations.add("records.topic.groups", "has a group twice")


def _named(violations: Violations, kind: str, tenant: str, field: str, name: str) -> None:
    violations.id(f"records.{kind}.tenant", tenant)
    violations.id(f"records.{kind}.{field}", name)


def _number(violations: Violations, field: str, number: int, *, least: int = 0) -> None:
    if not least <= number <= _MOST:
        violations.add(field, f"is {number}; must be {least} to {_MOST}")


def _in_order(
    violations: Violations, field: str, numbers: Sequence[int], *, least: int = 1, gapless: bool = True
) -> None:
    for number in dict.fromkeys((*numbers[:1], *numbers[-1:])):
        _number(violations, field, number, least=least)
    for before, after in pairwise(numbers):
        if after <= before or (gapless and after != before + 1):
            violations.add(field, f"is {after} after {before}")
            return


def _times(violations: Violations, field: str, times: Iterable[Timestamp]) -> None:
    for time in times:
        violations.time(field, time)
