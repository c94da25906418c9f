"""Writing to run logs: one entry is one atomic step."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import islice

from penstock.state.clock import StoreClock, to_timestamp
from penstock.state.log.cap import check_cap
from penstock.state.log.event_rules import check_events
from penstock.state.log.fences import check_fences
from penstock.state.log.head import RunHead
from penstock.state.log.projection import Consequences, apply
from penstock.state.log.refused import Refused, invalid
from penstock.state.settings import StateSettings
from penstock.state.sqlite.database import Transaction
from penstock.state.sqlite.heads import HeadCache
from penstock.state.sqlite.hub import Hub
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.journal_entry import Entry
from penstock.state.sqlite.log_rows import newest_entries
from penstock.state.sqlite.outbox import ENDED, STARTED
from penstock.state.sqlite.recent import Chunk, RecentRuns
from penstock.state.sqlite.run_rows import first_unfinished, save_head
from penstock.state.sqlite.session_rows import SessionRows
from penstock.state.stores import LogState
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import (
    APPEND_OUTCOME_APPENDED,
    APPEND_OUTCOME_NOT_FOUND,
    APPEND_OUTCOME_OUT_OF_ORDER,
    APPEND_OUTCOME_REPEATED,
    AppendEventsEntry,
    AppendEventsResult,
    AppendOutcome,
    ReadEventsResponse,
)
from penstock.v1.run_pb2 import RUN_STATE_QUEUED, Durability
from penstock.v1.session_pb2 import SessionMessage

# An entry may be repeated while it is among this many newest ones of its run.
_REMEMBERED = 1000
_MAX_CHECKPOINT_BYTES = 1024 * 1024


class SqliteLogWriter:
    """Appends to logs, keeps heads in step with them, and passes the turn on when a session's run ends."""

    def __init__(
        self,
        heads: HeadCache,
        journal: Journal,
        hub: Hub,
        recent: RecentRuns,
        clock: StoreClock,
        settings: StateSettings,
        keeps: Durability,
        turn_came: Callable[[], None],
        sessions: SessionRows,
    ) -> None:
        self._sessions = sessions
        self._heads = heads
        self._journal = journal
        self._hub = hub
        self._recent = recent
        self._clock = clock
        self._settings = settings
        self._keeps = keeps
        self._turn_came = turn_came

    def append(self, transaction: Transaction, entry: AppendEventsEntry) -> AppendEventsResult:
        """Puts an entry into its log, or raises Refused."""
        head = self._heads.get(transaction.connection, entry.tenant, entry.run_id)
        if head is None:
            raise Refused(APPEND_OUTCOME_NOT_FOUND, f"there is no run {entry.run_id}")
        old = head.finished or entry.writer_sequence <= head.writers.get(entry.writer_id, 0)
        if old and (repeated := self._repeated(transaction, head, entry)) is not None:
            return repeated
        check_fences(head, entry)
        if old:
            raise Refused(
                APPEND_OUTCOME_OUT_OF_ORDER,
                f"writer {entry.writer_id} is past number {entry.writer_sequence}, which is not remembered",
            )
        known = head.writers.get(entry.writer_id, 0)
        if entry.writer_sequence > known + 1 and self._lost_history(transaction, head):
            raise Refused(
                APPEND_OUTCOME_OUT_OF_ORDER,
                f"writer {entry.writer_id} has come to number {entry.writer_sequence}, and all after {known} was lost",
            )
        check_events(entry)
        if entry.durability > self._keeps:
            raise invalid(f"durability: this store keeps at most {Durability.Name(self._keeps)}")
        if entry.session_messages and not head.session_id:
            raise invalid("session_messages: the run has no session")
        check_cap(head, entry, self._settings)
        first, last = self.extend(
            transaction,
            head,
            entry.events,
            entry.session_messages,
            step_id=entry.step_id,
            checkpoint=entry.checkpoint if entry.HasField("checkpoint") else None,
            writer=(entry.writer_id, entry.writer_sequence),
        )
        return _result(APPEND_OUTCOME_APPENDED, head, first, last)

    def extend(
        self,
        transaction: Transaction,
        head: RunHead,
        events: Sequence[RunEvent],
        session_messages: Sequence[SessionMessage] = (),
        *,
        step_id: str = "",
        checkpoint: bytes | None = None,
        writer: tuple[str, int] = ("", 0),
    ) -> tuple[int, int]:
        """Numbers events and appends them with all that follows from them; returns the first and last number.

        Raises:
            Refused: an event does not fit the log; the write must be undone.
        """
        self._heads.about_to_change(transaction, head)
        connection = transaction.connection
        now_us = self._clock.now_us()
        time = to_timestamp(now_us)
        consequences = Consequences()
        if session_messages or checkpoint is not None:
            transaction.protect()
        stamped = ReadEventsResponse(events=events)
        first = head.last_sequence + 1
        for sequence, event in enumerate(stamped.events, first):
            event.sequence = sequence
            event.time.CopyFrom(time)
            if event.HasField("run_started"):
                if head.session_id:
                    transaction.protect()
                self._check_turn(transaction, head)
                self._mark(head, STARTED)
                self._sessions.fix_history(transaction.connection, head, now_us)
                event.run_started.history_index = head.record.history_index
                event.run_started.history_first_index = head.record.history_first_index
            apply(head, event, time, consequences)
        if head.session_id and (session_messages or consequences.finished):
            self._sessions.take(connection, head, session_messages, now_us)
        if consequences.finished:
            self._mark(head, ENDED)
        if consequences.taken_signals:
            transaction.protect()
        packed = stamped.SerializeToString()
        head.last_sequence += len(stamped.events)
        head.log_bytes += len(packed)
        head.entries += 1
        writer_id, writer_sequence = writer
        if writer_id:
            head.writers[writer_id] = writer_sequence
        if writer_id or stamped.events:
            self._journal.append(
                transaction,
                Entry(
                    head.number,
                    head.entries,
                    first,
                    head.last_sequence,
                    consequences.lifecycle,
                    writer_id,
                    writer_sequence,
                    head.log_bytes,
                    packed,
                ),
            )
        if checkpoint is not None:
            _keep_checkpoint(connection, head, step_id, checkpoint)
        self._follow(transaction, head, consequences)
        if stamped.events:
            chunk = Chunk(first, head.last_sequence, consequences.lifecycle, len(packed), stamped.events)
            self._tell(transaction, head, chunk)
            self._hub.touch(head.tenant, head.run_id, lifecycle=consequences.lifecycle)
            transaction.on_done(self._hub.publish)
        return (first, head.last_sequence) if stamped.events else (0, 0)

    def _mark(self, head: RunHead, news: int) -> None:
        if self._settings.lifecycle_topic:
            head.outbox |= news

    def _tell(self, transaction: Transaction, head: RunHead, chunk: Chunk) -> None:
        state = LogState(head.last_sequence, head.finished)
        name = (head.tenant, head.run_id)
        transaction.on_commit(partial(self._recent.grow, name, head.number, head.record.run.generation, state, chunk))

    def _follow(self, transaction: Transaction, head: RunHead, consequences: Consequences) -> None:
        connection = transaction.connection
        for number in consequences.taken_signals:
            changed = connection.execute(
                "UPDATE signals SET taken = 1 WHERE run = ? AND number = ? AND taken = 0", (head.number, number)
            )
            if changed.rowcount == 0:
                raise invalid(f"signal: no signal {number} waits to be taken in")
        if head.changed and head.stored:
            save_head(connection, head)
        if consequences.finished:
            connection.execute("DELETE FROM checkpoints WHERE run = ?", (head.number,))
            if head.signals:
                connection.execute("UPDATE signals SET taken = 1 WHERE run = ?", (head.number,))
            self._heads.drop(head)
            self._pass_turn(transaction, head)

    def _pass_turn(self, transaction: Transaction, ended: RunHead) -> None:
        connection = transaction.connection
        first = first_unfinished(connection, ended.tenant, ended.session_id)
        head = None if first is None else self._heads.get(connection, ended.tenant, first)
        if head is None or head.state != RUN_STATE_QUEUED or head.record.owner_instance_id:
            return
        self._heads.about_to_change(transaction, head)
        head.claimable = True
        save_head(connection, head)
        transaction.on_done(self._turn_came)

    def _repeated(self, transaction: Transaction, head: RunHead, entry: AppendEventsEntry) -> AppendEventsResult | None:
        with closing(newest_entries(transaction.connection, self._journal, head.number)) as newest:
            for kept in islice(newest, _REMEMBERED):
                if kept.writer == entry.writer_id and kept.writer_sequence == entry.writer_sequence:
                    numbers = (kept.first, kept.last) if kept.last >= kept.first else (0, 0)
                    return _result(APPEND_OUTCOME_REPEATED, head, *numbers)
        return None

    @staticmethod
    def _lost_history(transaction: Transaction, head: RunHead) -> bool:
        row = transaction.connection.execute("SELECT 1 FROM bases WHERE run = ? LIMIT 1", (head.number,)).fetchone()
        return row is not None

    def _check_turn(self, transaction: Transaction, head: RunHead) -> None:
        if head.session_id:
            first = first_unfinished(transaction.connection, head.tenant, head.session_id)
            if first is not None and first != head.run_id:
                raise invalid(f"run_started: run {first} of the same session has not ended")


def _keep_checkpoint(connection: sqlite3.Connection, head: RunHead, step_id: str, checkpoint: bytes) -> None:
    if not checkpoint:
        connection.execute("DELETE FROM checkpoints WHERE run = ? AND step_id = ?", (head.number, step_id))
        return
    (others,) = connection.execute(
        "SELECT coalesce(sum(length(data)), 0) FROM checkpoints WHERE run = ? AND step_id <> ?", (head.number, step_id)
    ).fetchone()
    if others + len(checkpoint) > _MAX_CHECKPOINT_BYTES:
        raise invalid(f"checkpoint: those of a run hold at most {_MAX_CHECKPOINT_BYTES} bytes together")
    connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", (head.number, step_id, checkpoint))


def _result(outcome: AppendOutcome, head: RunHead, first: int, last: int) -> AppendEventsResult:
    return AppendEventsResult(
        outcome=outcome,
        first_sequence=first,
        last_sequence=last,
        durable_sequence=head.last_sequence,
        generation=head.record.run.generation,
    )
