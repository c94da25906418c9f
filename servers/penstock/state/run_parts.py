"""A run's record taken apart, as stores keep it: what is fixed, and what changes as the run goes on."""

from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import Run

# What `head_of` leaves out: what is fixed, what has keys or rows of its own, and who drove the run elsewhere.
_NOT_OF_HEAD = (
    "tenant",
    "spec",
    "user",
    "request_id",
    "traceparent",
    "checkpoints",
    "pending_signals",
    "owner_instance_id",
)
_NOT_OF_HEADS_RUN = (
    "run_id",
    "session_id",
    "labels",
    "create_time",
    "deadline_time",
    "durability",
    "workflow",
    "trace_id",
    "plan",
    "input",
    "output",
    "last_sequence",
    "durable_sequence",
)


def fixed_of(record: RunRecord) -> tuple[RunRecord, RunRecord]:
    """Returns what is fixed of a run: what lists show, and the rest."""
    run = record.run
    summary = RunRecord(
        run=Run(
            run_id=run.run_id,
            session_id=run.session_id,
            labels=run.labels,
            create_time=run.create_time,
            deadline_time=run.deadline_time if run.HasField("deadline_time") else None,
            durability=run.durability,
            workflow=run.workflow,
            trace_id=run.trace_id,
        )
    )
    body = RunRecord(
        tenant=record.tenant,
        run=Run(plan=run.plan if run.HasField("plan") else None, input=run.input),
        spec=record.spec,
        user=record.user,
        request_id=record.request_id,
        traceparent=record.traceparent,
    )
    return summary, body


def head_of(record: RunRecord) -> RunRecord:
    """Returns what changes of a run, without what is kept beside it."""
    head = RunRecord()
    head.CopyFrom(record)
    for field in _NOT_OF_HEAD:
        head.ClearField(field)
    for field in _NOT_OF_HEADS_RUN:
        head.run.ClearField(field)
    return head
