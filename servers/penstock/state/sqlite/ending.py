"""Signals: on their way to those who drive runs; and a cancel at once for runs that are queued."""

import sqlite3

import grpc

from penstock.state.log.head import RunHead
from penstock.state.log.signals import check_urgent, has_room
from penstock.state.sqlite.database import Transaction
from penstock.state.sqlite.heads import HeadCache
from penstock.state.sqlite.hub import Hub
from penstock.state.sqlite.log_writer import SqliteLogWriter
from penstock.state.sqlite.run_rows import read_signals, save_head
from penstock.v1.ownership_pb2 import SignalOutcome
from penstock.v1.run_event_pb2 import RunEvent, RunFinished
from penstock.v1.run_log_pb2 import PendingSignal
from penstock.v1.run_pb2 import RunState, Signal
from penstock.wire.status import failed_status

# Stands for the signal that ended its run, so that a repeat gets the first answer.
_ENDED_THE_RUN = 0


class Ending:
    """Makes signals durable, or ends the run that is to be cancelled where nothing has begun."""

    def __init__(self, heads: HeadCache, hub: Hub, log: SqliteLogWriter) -> None:
        self._heads = heads
        self._hub = hub
        self._log = log

    def send(
        self, transaction: Transaction, tenant: str, run_id: str, *, signal_id: str, signal: Signal
    ) -> tuple[SignalOutcome, int]:
        """Signals a run; returns what came of it, and the signal's number where one was sent.

        Raises:
            ResourceExhausted: too many wait to be taken in.
        """
        connection = transaction.connection
        head = self._heads.get(connection, tenant, run_id)
        if head is None:
            return SignalOutcome.SIGNAL_OUTCOME_NOT_FOUND, 0
        sent = connection.execute(
            "SELECT number FROM signals WHERE run = ? AND signal_id = ?", (head.number, signal_id)
        ).fetchone()
        if sent is not None:
            number = int(sent[0])
            ended = SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED
            return (ended if number == _ENDED_THE_RUN else SignalOutcome.SIGNAL_OUTCOME_SENT), number
        if head.finished:
            return SignalOutcome.SIGNAL_OUTCOME_RUN_FINISHED, 0
        if head.state == RunState.RUN_STATE_QUEUED and signal.HasField("cancel"):
            _keep(connection, head, PendingSignal(signal_number=_ENDED_THE_RUN, signal_id=signal_id))
            self._end(transaction, head, signal.cancel.reason)
            return SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED, 0
        if not has_room(signal, *_pending(connection, head)):
            check_urgent(run_id, signal, read_signals(connection, head.number, 0))
        self._heads.about_to_change(transaction, head)
        head.signals += 1
        _keep(connection, head, PendingSignal(signal_number=head.signals, signal_id=signal_id, signal=signal))
        save_head(connection, head)
        self._hub.touch(tenant, run_id, lifecycle=True)
        transaction.on_done(self._hub.publish)
        return SignalOutcome.SIGNAL_OUTCOME_SENT, head.signals

    def _end(self, transaction: Transaction, head: RunHead, reason: str) -> None:
        # No message and no note of it: what never left the queue never entered the session.
        text = f"the run was cancelled: {reason}" if reason else "the run was cancelled"
        finished = RunFinished(
            state=RunState.RUN_STATE_CANCELLED,
            error=failed_status(grpc.StatusCode.CANCELLED, text, "RUN_CANCELLED", {"run_id": head.run_id}),
        )
        self._log.extend(transaction, head, [RunEvent(run_finished=finished)])


def _pending(connection: sqlite3.Connection, head: RunHead) -> tuple[int, int]:
    """Returns how many signals wait to be taken in, and their bytes together."""
    if not head.signals:
        return 0, 0
    count, size = connection.execute(
        "SELECT count(*), coalesce(sum(length(signal)), 0) FROM signals INDEXED BY signals_pending "
        "WHERE run = ? AND taken = 0",
        (head.number,),
    ).fetchone()
    return count, size


def _keep(connection: sqlite3.Connection, head: RunHead, signal: PendingSignal) -> None:
    connection.execute(
        "INSERT INTO signals VALUES (?, ?, ?, ?, ?)",
        (
            head.number,
            signal.signal_number,
            signal.signal_id,
            signal.signal_number == _ENDED_THE_RUN,
            signal.SerializeToString(),
        ),
    )
