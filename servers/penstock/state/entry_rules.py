"""Checking the entries of batches: each by itself, because a batch spans runs and tenants."""

from penstock.state.log.event_rules import is_step_id
from penstock.state.log.refused import invalid
from penstock.state.violations import MAX_VALUE_BYTES, Violations
from penstock.v1.run_log_pb2 import AppendEventsEntry, RecordRunsEntry
from penstock.v1.run_pb2 import Durability

_LONGEST_TIMEOUT = 30 * 86400.0
_MAX_LABELS = 64
_DURABILITIES = frozenset(Durability.values())


def check_append(entry: AppendEventsEntry) -> None:
    """Raises Refused when the entry can't be read as one, whatever its log says."""
    violations = Violations()
    violations.id("tenant", entry.tenant)
    violations.id("run_id", entry.run_id)
    violations.id("writer_id", entry.writer_id)
    if not 1 <= entry.writer_sequence < 2**63:
        violations.add("writer_sequence", "must be 1 or more")
    if bool(entry.step_id) != bool(entry.attempt):
        violations.add("attempt", "must be set with step_id, and only then")
    if entry.step_id and not is_step_id(entry.step_id):
        violations.add("step_id", "must be ids with / between them")
    violations.size("checkpoint", len(entry.checkpoint), MAX_VALUE_BYTES)
    violations.messages("session_messages", entry.session_messages)
    if not entry.events and not entry.session_messages and not entry.HasField("checkpoint"):
        violations.add("events", "must not be empty without a checkpoint or session messages")
    if violations.found:
        raise invalid("; ".join(f"{field}: {description}" for field, description in violations.found))


def check_record(entry: RecordRunsEntry) -> None:
    """Raises InvalidArgument when the entry is not one that could be recorded."""
    violations = Violations()
    spec = entry.spec
    violations.id("tenant", entry.tenant)
    violations.id("run_id", entry.run_id)
    violations.id("owner_instance_id", entry.owner_instance_id, optional=True)
    violations.id("spec.session_id", spec.session_id, optional=True)
    violations.size("spec.input", sum(part.ByteSize() for part in spec.input), MAX_VALUE_BYTES + 1024)
    violations.size("plan", entry.plan.ByteSize(), MAX_VALUE_BYTES)
    violations.count("spec.labels", len(spec.labels), _MAX_LABELS)
    if spec.durability not in _DURABILITIES:
        violations.add("spec.durability", f"is {spec.durability}, a level that is not known here")
    if spec.HasField("timeout"):
        violations.duration("spec.timeout", spec.timeout, 1e-6, _LONGEST_TIMEOUT)
    violations.messages("session_messages", entry.session_messages)
    if entry.session_messages and not spec.session_id:
        violations.add("session_messages", "need a session")
    violations.raise_any()
