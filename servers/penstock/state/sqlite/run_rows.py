"""The rows of runs: how heads and records are put together and taken apart."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Final

from penstock.state.clock import from_timestamp, to_timestamp
from penstock.state.log.head import RunHead, is_terminal
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.log_rows import entries_from, newest_entries
from penstock.state.sqlite.schema import LAST_REMOVED
from penstock.v1.run_log_pb2 import PendingSignal, ReadEventsResponse, RecordRunsEntry, RunRecord
from penstock.v1.run_pb2 import RUN_STATE_QUEUED, RUN_STATE_SUCCEEDED, Content, Durability, Run, RunSpec
from penstock.wire.context import trace_id_of

# Of the run in the row at hand; 0: its log is empty. `journal_last` is the journal's (see `Journal.define`).
LAST_SEQUENCE: Final = (
    "coalesce(journal_last(number), "
    "(SELECT last FROM logs WHERE logs.run = number ORDER BY first DESC, entry DESC LIMIT 1), 0)"
)

# Of all runs that there were: whoever still holds on to a run that was removed must not find another one there.
_LAST_NUMBER: Final = (
    "SELECT max(coalesce((SELECT max(number) FROM runs), 0), coalesce((SELECT value FROM meta WHERE key = ?), 0))"
)


@dataclass(frozen=True, slots=True)
class NewRun:
    """Represents a run that has no row yet: what grows of it, and what is fixed, in encoded form."""

    head: RunHead
    created_us: int
    deadline_us: int | None
    summary: bytes
    body: bytes


def new_run(
    connection: sqlite3.Connection, entry: RecordRunsEntry, now_us: int, generation: int, durability: Durability
) -> NewRun:
    """Makes a new run, QUEUED; `insert_run` stores it."""
    spec = entry.spec
    summary = Run(
        run_id=entry.run_id,
        session_id=spec.session_id,
        labels=spec.labels,
        create_time=to_timestamp(now_us),
        durability=durability,
        workflow=spec.workflow,
        trace_id=trace_id_of(entry.traceparent),
    )
    deadline_us = None
    if spec.HasField("timeout"):
        deadline_us = now_us + spec.timeout.ToMicroseconds()
        summary.deadline_time.CopyFrom(to_timestamp(deadline_us))
    kept_spec = RunSpec()
    kept_spec.CopyFrom(spec)
    kept_spec.ClearField("input")
    body = RunRecord(
        tenant=entry.tenant,
        run=Run(plan=entry.plan if entry.HasField("plan") else None, input=spec.input),
        spec=kept_spec,
        user=entry.user,
        request_id=entry.request_id,
        traceparent=entry.traceparent,
    )
    record = RunRecord(run=Run(state=RUN_STATE_QUEUED, generation=generation))
    head = RunHead(
        number=next_run_number(connection),
        tenant=entry.tenant,
        run_id=entry.run_id,
        session_id=spec.session_id,
        record=record,
        stored=False,
    )
    return NewRun(head, now_us, deadline_us, RunRecord(run=summary).SerializeToString(), body.SerializeToString())


def next_run_number(connection: sqlite3.Connection) -> int:
    """Returns the number of the next new run."""
    (last_number,) = connection.execute(_LAST_NUMBER, (LAST_REMOVED,)).fetchone()
    return int(last_number) + 1


def insert_run(connection: sqlite3.Connection, new: NewRun) -> RunRecord:
    """Stores a new run as its head stands now, and returns its record."""
    head = new.head
    packed = head.record.SerializeToString()
    connection.execute(
        "INSERT INTO runs (number, tenant, run_id, session_id, state, created_us, deadline_us, owner, claimable, "
        "signals, output_sequence, waiting, head, outbox) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', ?, ?)",
        (
            head.number,
            head.tenant,
            head.run_id,
            head.session_id,
            head.state,
            new.created_us,
            new.deadline_us,
            head.record.owner_instance_id,
            head.claimable,
            packed,
            head.outbox,
        ),
    )
    head.outbox = 0
    connection.execute("INSERT INTO specs VALUES (?, ?, ?)", (head.number, new.summary, new.body))
    head.changed = False
    head.stored = True
    record = _put_together(new.summary, new.body, packed, head.last_sequence)
    record.spec.ClearField("plan")
    return record


def load_head(connection: sqlite3.Connection, journal: Journal, tenant: str, run_id: str) -> RunHead | None:
    """Reads a run's head; None: there is no such run. The writers of a finished run are left out."""
    row = connection.execute(
        "SELECT number, session_id, claimable, signals, output_sequence, waiting, head FROM runs "
        "WHERE tenant = ? AND run_id = ?",
        (tenant, run_id),
    ).fetchone()
    if row is None:
        return None
    number, session_id, claimable, signals, output_sequence, waiting, head = row
    loaded = RunHead(
        number=number,
        tenant=tenant,
        run_id=run_id,
        session_id=session_id,
        record=RunRecord.FromString(head),
        claimable=bool(claimable),
        signals=signals,
        output_sequence=output_sequence,
        waiting=set(waiting.split()),
    )
    with closing(newest_entries(connection, journal, number)) as entries:
        newest = next(entries, None)
        if newest is not None:
            loaded.last_sequence, loaded.log_bytes, loaded.entries = newest.last, newest.log_bytes, newest.number
        if newest is not None and not is_terminal(loaded.state):
            for entry in chain((newest,), entries):
                if entry.writer:
                    loaded.writers.setdefault(entry.writer, entry.writer_sequence)
    return loaded


def save_head(connection: sqlite3.Connection, head: RunHead) -> None:
    """Stores what has changed in a head."""
    connection.execute(
        "UPDATE runs SET state = ?, owner = ?, claimable = ?, signals = ?, output_sequence = ?, waiting = ?, head = ?, "
        "outbox = outbox | ?, finished_us = ?, log_bytes = ? WHERE number = ?",
        (
            head.state,
            head.record.owner_instance_id,
            head.claimable,
            head.signals,
            head.output_sequence,
            " ".join(sorted(head.waiting)),
            head.record.SerializeToString(),
            head.outbox,
            from_timestamp(head.record.run.finish_time) if head.finished else None,
            head.log_bytes if head.finished else 0,
            head.number,
        ),
    )
    head.changed = False
    head.outbox = 0


def first_unfinished(connection: sqlite3.Connection, tenant: str, session_id: str) -> str | None:
    """Returns the id of the oldest of a session's runs that are not terminal; None: there is none, or no session."""
    if not session_id:
        return None
    return next(iter(unfinished_of_session(connection, tenant, session_id, limit=1)), None)


def unfinished_of_session(
    connection: sqlite3.Connection, tenant: str, session_id: str, *, limit: int = -1
) -> list[str]:
    """Returns the ids of a session's runs that are not terminal, oldest first; at most `limit` unless negative."""
    rows = connection.execute(
        "SELECT run_id FROM runs WHERE tenant = ? AND session_id = ? AND session_id <> '' AND state < 4 "
        "ORDER BY number LIMIT ?",
        (tenant, session_id, limit),
    )
    return [run_id for (run_id,) in rows]


def read_record(
    connection: sqlite3.Connection, tenant: str, run_id: str, *, run_only: bool = False, whole_spec: bool = False
) -> RunRecord | None:
    """Puts a run's record together; None: there is no such run.

    `whole_spec` leaves the plan in the spec, where the contract has it in the run only.
    """
    row = connection.execute(
        "SELECT number, head, output_sequence, signals, state, summary, body, "
        f"{LAST_SEQUENCE} FROM runs JOIN specs ON specs.run = number WHERE tenant = ? AND run_id = ?",
        (tenant, run_id),
    ).fetchone()
    if row is None:
        return None
    number, head, output_sequence, signals, state, summary, body, last_sequence = row
    record = _put_together(summary, body, head, last_sequence)
    if output_sequence and state == RUN_STATE_SUCCEEDED:
        record.run.output.extend(_output(connection, number, output_sequence))
    if run_only:
        return RunRecord(tenant=record.tenant, run=record.run)
    if not whole_spec:
        record.spec.ClearField("plan")
    for step_id, data in connection.execute("SELECT step_id, data FROM checkpoints WHERE run = ?", (number,)):
        record.checkpoints[step_id] = data
    if signals:
        record.pending_signals.extend(read_signals(connection, number, 0))
    return record


def _put_together(summary: bytes, body: bytes, head: bytes, last_sequence: int) -> RunRecord:
    # Messages in their encoded form merge by standing side by side.
    record = RunRecord.FromString(summary + body + head)
    record.run.last_sequence = record.run.durable_sequence = last_sequence
    return record


def read_signals(connection: sqlite3.Connection, number: int, after: int) -> list[PendingSignal]:
    """Returns a run's signals that are not taken in, in order."""
    rows = connection.execute(
        "SELECT signal FROM signals WHERE run = ? AND number > ? AND taken = 0 ORDER BY number", (number, after)
    )
    return [PendingSignal.FromString(signal) for (signal,) in rows]


def _output(connection: sqlite3.Connection, number: int, sequence: int) -> Sequence[Content]:
    (packed,) = connection.execute("SELECT journal_events(?, ?)", (number, sequence)).fetchone()
    if packed is None:
        with closing(entries_from(connection, number, sequence)) as entries:
            packed = next(entries).events
    for event in ReadEventsResponse.FromString(packed).events:
        if event.sequence == sequence:
            return event.step_finished.output
    return []
