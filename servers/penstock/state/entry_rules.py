"""Checking the entries of batches: each by itself, because a batch spans runs and tenants."""

from penstock.state.log.event_rules import is_step_id
from penstock.state.log.refused import invalid
from penstock.state.violations import MAX_LABELS, MAX_METADATA_BYTES, MAX_VALUE_BYTES, Violations
from penstock.v1.run_log_pb2 import AppendEventsEntry, RecordRunsEntry
from penstock.v1.run_pb2 import Durability, OnBusy
from penstock.wire.ids import is_id

_LONGEST_TIMEOUT = 30 * 86400.0
_LONGEST_LABEL = 256
# What a spec may have beside plan and input: a record, which has it all, has to fit into a message.
_MOST_BESIDE = 256 * 1024
_DURABILITIES = frozenset(Durability.values())
_ON_BUSY = frozenset(OnBusy.values())


def check_append(entry: AppendEventsEntry) -> None:
    """Raises Refused when the entry can't be read as one, whatever its log says."""
    if _is_plain(entry):
        return
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
    if entry.durability not in _DURABILITIES:
        violations.add("durability", f"is {entry.durability}, a level that is not known here")
    violations.count("session_messages", len(entry.session_messages))
    violations.messages("session_messages", entry.session_messages)
    if not entry.events and not entry.session_messages and not entry.HasField("checkpoint"):
        violations.add("events", "must not be empty without a checkpoint or session messages")
    if violations.found:
        raise invalid("; ".join(f"{field}: {description}" for field, description in violations.found))


def _is_plain(entry: AppendEventsEntry) -> bool:
    """Tells of an entry with an attempt's events and nothing else, as nearly all are, whether nothing is wrong."""
    return (
        is_id(entry.tenant)
        and is_id(entry.run_id)
        and is_id(entry.writer_id)
        and is_id(entry.step_id)
        and entry.attempt != 0
        and 1 <= entry.writer_sequence < 2**63
        and entry.durability in _DURABILITIES
        and not entry.checkpoint
        and not entry.session_messages
        and bool(entry.events)
    )


def check_record(entry: RecordRunsEntry) -> None:
    """Raises InvalidArgument when the entry is not one that could be recorded."""
    violations = Violations()
    spec = entry.spec
    violations.id("tenant", entry.tenant)
    violations.id("run_id", entry.run_id)
    violations.id("owner_instance_id", entry.owner_instance_id, optional=True)
    violations.id("spec.session_id", spec.session_id, optional=True)
    for field in ("user", "request_id", "traceparent"):
        violations.size(field, len(getattr(entry, field).encode()), MAX_METADATA_BYTES)
    of_input, of_plan = sum(part.ByteSize() for part in spec.input), spec.plan.ByteSize()
    violations.size("spec.input", of_input, MAX_VALUE_BYTES + 1024)
    violations.contents("spec.input", spec.input)
    violations.size("spec.plan", of_plan, MAX_VALUE_BYTES)
    # Less what marks each part of the input.
    violations.size("spec", spec.ByteSize() - of_input - 6 * len(spec.input) - of_plan, _MOST_BESIDE)
    violations.size("plan", entry.plan.ByteSize(), MAX_VALUE_BYTES)
    violations.count("spec.labels", len(spec.labels), MAX_LABELS)
    for key, value in spec.labels.items():
        violations.id("spec.labels", key)
        violations.text(f"spec.labels[{key}]", value, _LONGEST_LABEL)
    if spec.durability not in _DURABILITIES:
        violations.add("spec.durability", f"is {spec.durability}, a level that is not known here")
    if spec.on_busy not in _ON_BUSY:
        violations.add("spec.on_busy", f"is {spec.on_busy}, a choice that is not known here")
    if spec.HasField("timeout"):
        violations.duration("spec.timeout", spec.timeout, 1e-6, _LONGEST_TIMEOUT)
    violations.count("session_messages", len(entry.session_messages))
    violations.messages("session_messages", entry.session_messages)
    if entry.session_messages and not spec.session_id:
        violations.add("session_messages", "need a session")
    violations.raise_any()
