"""Writing exported runs into rows: their events are kept aside, and all is seen at once."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from penstock.state.clock import from_timestamp
from penstock.state.imported_log import entries_of
from penstock.state.log.head import is_terminal
from penstock.state.run_parts import fixed_of, head_of
from penstock.state.sqlite.journal_entry import Entry
from penstock.state.sqlite.log_rows import insert_log
from penstock.state.sqlite.retention import trim_again_from
from penstock.state.sqlite.run_rows import first_unfinished, next_run_number
from penstock.state.sqlite.run_search import note_labels
from penstock.v1.run_log_pb2 import ReadEventsResponse
from penstock.v1.run_pb2 import RUN_STATE_QUEUED
from penstock.v1.state_admin_pb2 import ExportedEvents, ExportedRun
from penstock.wire.errors import FailedPrecondition

_KEPT_US: Final = 86_400_000_000
_PIECES: Final = 100


def add_events(connection: sqlite3.Connection, exported: ExportedEvents, now_us: int) -> bool:
    """Keeps a piece of a log aside; see StoreCare."""
    name = (exported.tenant, exported.run_id)
    first, last = exported.events[0].sequence, exported.events[-1].sequence
    kept_last, generation = connection.execute(
        "SELECT max(last), max(generation) FROM imported_events WHERE tenant = ? AND run_id = ?", name
    ).fetchone()
    same = kept_last is not None and generation == exported.generation
    if same and first <= kept_last:
        connection.execute(
            "UPDATE imported_events SET kept_us = ? WHERE tenant = ? AND run_id = ? AND first = ?",
            (now_us, *name, first),
        )
        return False
    if kept_last is not None and not (same and first == kept_last + 1):
        connection.execute("DELETE FROM imported_events WHERE tenant = ? AND run_id = ?", name)
    packed = ReadEventsResponse(events=exported.events).SerializeToString()
    connection.execute(
        "INSERT INTO imported_events VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*name, first, last, exported.generation, now_us, packed),
    )
    return True


def add_run(connection: sqlite3.Connection, exported: ExportedRun) -> None:
    """Makes a run with the events that were kept for it; see StoreCare."""
    record = exported.record
    run = record.run
    there = connection.execute(
        "SELECT 1 FROM runs WHERE tenant = ? AND run_id = ?", (record.tenant, run.run_id)
    ).fetchone()
    if there is not None:
        raise FailedPrecondition(f"run {run.run_id} of tenant {record.tenant} came into being there meanwhile")
    unfinished = not is_terminal(run.state)
    turn_of = first_unfinished(connection, record.tenant, run.session_id) if unfinished else None
    if turn_of is not None and run.state != RUN_STATE_QUEUED:
        raise FailedPrecondition(f"run {run.run_id} is going on, and its session is busy with run {turn_of} there")
    number = next_run_number(connection)
    entries = _kept_entries(connection, exported, number)
    head = head_of(record)
    created_us = from_timestamp(run.create_time)
    connection.execute(
        "INSERT INTO runs (number, tenant, run_id, session_id, state, created_us, deadline_us, owner, claimable, "
        "signals, output_sequence, waiting, head, finished_us, log_bytes, first_sequence) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            record.tenant,
            run.run_id,
            run.session_id,
            run.state,
            created_us,
            from_timestamp(run.deadline_time) if run.HasField("deadline_time") else None,
            unfinished and turn_of is None,
            exported.signals_sent,
            exported.output_sequence,
            " ".join(sorted(exported.waiting_step_ids)),
            head.SerializeToString(),
            None if unfinished else from_timestamp(run.finish_time),
            entries[-1].log_bytes if entries else 0,
            entries[0].first if entries else 1,
        ),
    )
    insert_log(connection, entries)
    summary, body = fixed_of(record)
    connection.execute(
        "INSERT INTO specs VALUES (?, ?, ?)", (number, summary.SerializeToString(), body.SerializeToString())
    )
    note_labels(connection, record.tenant, number, created_us, run.labels)
    for step_id, data in record.checkpoints.items():
        connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?)", (number, step_id, data))
    for signal in record.pending_signals:
        connection.execute(
            "INSERT INTO signals VALUES (?, ?, ?, 0, ?)",
            (number, signal.signal_number, signal.signal_id, signal.SerializeToString()),
        )
    for base in exported.bases:
        connection.execute("INSERT INTO bases VALUES (?, ?, ?)", (number, base.generation, base.last_common_sequence))
    connection.execute("DELETE FROM imported_events WHERE tenant = ? AND run_id = ?", (record.tenant, run.run_id))
    if not unfinished:
        trim_again_from(connection, from_timestamp(run.finish_time), number)


def has_forgotten_events(connection: sqlite3.Connection, now_us: int) -> bool:
    """Tells whether events were kept for a run that never came."""
    return _forgotten_run(connection, now_us) is not None


def drop_forgotten_events(connection: sqlite3.Connection, now_us: int) -> bool:
    """Drops some of the events of a run that never came, the last ones first; True: there may be more.

    So an import that is begun again finds no gap in what is left.
    """
    run = _forgotten_run(connection, now_us)
    if run is None:
        return False
    connection.execute(
        "DELETE FROM imported_events WHERE (tenant, run_id, first) IN (SELECT tenant, run_id, first "
        "FROM imported_events WHERE tenant = ? AND run_id = ? ORDER BY first DESC LIMIT ?)",
        (*run, _PIECES),
    )
    return True


def _forgotten_run(connection: sqlite3.Connection, now_us: int) -> tuple[str, str] | None:
    """Returns a run none of whose events has come for long."""
    row: tuple[str, str] | None = connection.execute(
        "SELECT tenant, run_id FROM imported_events AS old WHERE kept_us <= ?1 AND NOT EXISTS (SELECT 1 "
        "FROM imported_events AS young WHERE young.tenant = old.tenant AND young.run_id = old.run_id "
        "AND young.kept_us > ?1) LIMIT 1",
        (now_us - _KEPT_US,),
    ).fetchone()
    return row


def _kept_entries(connection: sqlite3.Connection, exported: ExportedRun, number: int) -> Sequence[Entry]:
    """Makes log entries of the pieces that were kept."""
    run = exported.record.run
    pieces = connection.execute(
        "SELECT generation, events FROM imported_events WHERE tenant = ? AND run_id = ? ORDER BY first",
        (exported.record.tenant, run.run_id),
    )
    entries: list[Entry] = []
    log_bytes = last_kept = 0
    for generation, packed in pieces:
        if generation != run.generation:
            raise FailedPrecondition(f"the events of run {run.run_id} are of another generation than its record")
        for first, last_kept, lifecycle, part in entries_of(packed, exported):
            log_bytes += len(part)
            entries.append(Entry(number, len(entries) + 1, first, last_kept, lifecycle, "", 0, log_bytes, part))
    if last_kept != run.last_sequence:
        raise FailedPrecondition(
            f"run {run.run_id} has {run.last_sequence} events, of which the import brought those up to {last_kept}"
        )
    return entries
