"""Recording runs: create-or-get, and what a busy session means for it."""

from collections.abc import Callable
from contextlib import suppress

from penstock.state.clock import StoreClock
from penstock.state.durability_refusal import durability_refused
from penstock.state.log.event_rules import check_events
from penstock.state.log.head import RunHead
from penstock.state.log.refused import Refused
from penstock.state.sqlite.database import Transaction
from penstock.state.sqlite.ending import Ending
from penstock.state.sqlite.heads import HeadCache
from penstock.state.sqlite.leases import holds_lease
from penstock.state.sqlite.log_writer import SqliteLogWriter
from penstock.state.sqlite.run_rows import (
    first_unfinished,
    insert_run,
    new_run,
    read_record,
    unfinished_of_session,
)
from penstock.state.sqlite.run_search import note_labels
from penstock.state.sqlite.session_rows import SessionRows
from penstock.v1.run_log_pb2 import (
    RECORD_OUTCOME_DIFFERS,
    RECORD_OUTCOME_EXISTING,
    RECORD_OUTCOME_QUEUED,
    RECORD_OUTCOME_SESSION_BUSY,
    RECORD_OUTCOME_STARTED,
    AppendEventsEntry,
    RecordRunsEntry,
    RecordRunsResult,
    RunRecord,
)
from penstock.v1.run_pb2 import (
    DURABILITY_PROCESS,
    ON_BUSY_ENQUEUE,
    ON_BUSY_INTERRUPT,
    ON_BUSY_REJECT,
    Durability,
    RunSpec,
    Signal,
)
from penstock.wire.errors import InvalidArgument, ResourceExhausted


class Recorder:
    """Records runs, each in one atomic step with its claim and first events."""

    def __init__(
        self,
        heads: HeadCache,
        log: SqliteLogWriter,
        ending: Ending,
        clock: StoreClock,
        keeps: Durability,
        generation: int,
        turn_came: Callable[[], None],
        sessions: SessionRows,
    ) -> None:
        self._sessions = sessions
        self._turn_came = turn_came
        self._heads = heads
        self._log = log
        self._ending = ending
        self._clock = clock
        self._keeps = keeps
        self._generation = generation

    def record(self, transaction: Transaction, entry: RecordRunsEntry) -> RecordRunsResult:
        """Creates a run, or returns the one that is there.

        Raises:
            PenstockError: the store can't keep it as asked; the write must be undone.
        """
        existing = read_record(transaction.connection, entry.tenant, entry.run_id, whole_spec=True)
        if existing is not None:
            return _existing(existing, entry)
        if entry.spec.durability > self._keeps:
            raise durability_refused(entry.spec.durability, self._keeps)
        if entry.spec.session_id:
            transaction.protect()  # what is done to the session comes before the run's own events are looked at
        interrupted = self._interrupt(transaction, entry)
        busy = first_unfinished(transaction.connection, entry.tenant, entry.spec.session_id)
        if busy is not None and entry.spec.on_busy == ON_BUSY_REJECT:
            return RecordRunsResult(outcome=RECORD_OUTCOME_SESSION_BUSY, busy_run_id=busy)
        now_us = self._clock.now_us()
        durability = entry.spec.durability or DURABILITY_PROCESS
        if entry.spec.session_id:
            self._sessions.ensure(transaction.connection, entry.tenant, entry.spec.session_id, now_us)
        new = new_run(transaction.connection, entry, now_us, self._generation, durability)
        head = new.head
        self._heads.put(head)
        self._heads.about_to_change(transaction, head)
        outcome = RECORD_OUTCOME_QUEUED
        owner = entry.owner_instance_id
        if busy is None and owner and holds_lease(transaction.connection, owner, now_us):
            self._start(transaction, head, entry)
            outcome = RECORD_OUTCOME_STARTED
        elif busy is None:
            head.claimable = True
        record = insert_run(transaction.connection, new)
        note_labels(transaction.connection, entry.tenant, head.number, new.created_us, entry.spec.labels)
        if outcome == RECORD_OUTCOME_QUEUED:
            transaction.on_done(self._turn_came)  # there is more to claim, now or at its deadline
        return RecordRunsResult(outcome=outcome, record=record, interrupted_run_ids=interrupted, durable=True)

    def _start(self, transaction: Transaction, head: RunHead, entry: RecordRunsEntry) -> None:
        head.record.owner_instance_id = entry.owner_instance_id
        head.record.epoch = 1
        head.changed = True
        if not entry.events or not entry.events[0].HasField("run_started"):
            raise InvalidArgument.of([("events", "must begin with run_started when an instance claims the run")])
        try:
            check_events(AppendEventsEntry(events=entry.events))
            self._log.extend(transaction, head, entry.events, entry.session_messages)
        except Refused as refused:
            raise InvalidArgument.of([("events", refused.detail)]) from refused

    def _interrupt(self, transaction: Transaction, entry: RecordRunsEntry) -> list[str]:
        """Cancels the session's runs if the new one is to interrupt them; returns which."""
        if not entry.spec.session_id or entry.spec.on_busy != ON_BUSY_INTERRUPT:
            return []
        unfinished = unfinished_of_session(transaction.connection, entry.tenant, entry.spec.session_id)
        # The newest first, so that no turn comes to a run that is about to be cancelled.
        for run_id in reversed(unfinished):
            cancel = Signal(cancel=Signal.Cancel(reason=f"interrupted by run {entry.run_id}"))
            # Without room for one more a cancel waits already to be taken in, and one is enough.
            with suppress(ResourceExhausted):
                self._ending.send(transaction, entry.tenant, run_id, signal_id=entry.run_id, signal=cancel)
        return unfinished


def _existing(record: RunRecord, entry: RecordRunsEntry) -> RecordRunsResult:
    stored = record.spec
    stored.input.extend(record.run.input)
    if _body(stored) != _body(entry.spec):
        return RecordRunsResult(outcome=RECORD_OUTCOME_DIFFERS)
    stored.ClearField("input")
    stored.ClearField("plan")
    return RecordRunsResult(outcome=RECORD_OUTCOME_EXISTING, record=record, durable=True)


def _body(spec: RunSpec) -> RunSpec:
    body = RunSpec()
    body.CopyFrom(spec)
    body.ClearField("idempotency_key")
    body.ClearField("timeout")
    body.on_busy = body.on_busy or ON_BUSY_ENQUEUE
    body.durability = body.durability or DURABILITY_PROCESS
    return body
