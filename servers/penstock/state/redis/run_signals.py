"""Signals: on their way to those who drive runs; and a cancel at once for runs that are queued."""

from typing import Final

import grpc

from penstock.state.log.signals import check_urgent, has_room
from penstock.state.redis.log_writing import LogWriting
from penstock.state.redis.room_keys import RunKeys
from penstock.state.redis.room_step import Fact, Lookup, RunNews, Step
from penstock.state.redis.run_reading import pending_signals
from penstock.state.redis.run_record import RoomRun
from penstock.v1.ownership_pb2 import SignalOutcome
from penstock.v1.run_event_pb2 import RunEvent, RunFinished
from penstock.v1.run_log_pb2 import PendingSignal
from penstock.v1.run_pb2 import RunState, Signal
from penstock.wire.status import failed_status

# Stands for the signal that ended its run, so that a repeat gets the first answer.
_ENDED_THE_RUN: Final = 0


class RunSignals:
    """Makes signals durable, or ends the run that is to be cancelled where nothing has begun."""

    def __init__(self, log: LogWriting) -> None:
        self._log = log

    def send(self, step: Step, run_id: str, signal_id: str, signal: Signal) -> tuple[SignalOutcome, int]:
        """Signals a run; returns what came of it, and the signal's number where one was sent.

        Raises:
            ResourceExhausted: too many wait to be taken in.
        """
        run = step.run(run_id)
        if run is None:
            return SignalOutcome.SIGNAL_OUTCOME_NOT_FOUND, 0
        flat, sent = step.know_all(self.lookups(run_id, run.keys, signal_id))
        if sent is not None:
            number = int(sent)
            if run.replicated():
                # The replicas may not have confirmed it when it was sent.
                step.replicate = True
                step.touch()
            ended = SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED
            return (ended if number == _ENDED_THE_RUN else SignalOutcome.SIGNAL_OUTCOME_SENT), number
        if run.head.finished:
            return SignalOutcome.SIGNAL_OUTCOME_RUN_FINISHED, 0
        if run.head.state == RunState.RUN_STATE_QUEUED and signal.HasField("cancel"):
            step.write("HSET", run.keys.signal_ids, signal_id, _ENDED_THE_RUN)
            self._end(step, run, signal.cancel.reason)
            step.forgotten += _facts(run_id, signal_id)
            return SignalOutcome.SIGNAL_OUTCOME_RUN_ENDED, 0
        pending = flat[1::2]
        if not has_room(signal, len(pending), sum(map(len, pending))):
            check_urgent(run_id, signal, pending_signals(flat, 0))
        edited = step.edit(run)
        edited.head.signals += 1
        number = edited.head.signals
        packed = PendingSignal(signal_number=number, signal_id=signal_id, signal=signal).SerializeToString()
        step.write("HSET", run.keys.signals, f"p{number}", packed)
        step.write("HSET", run.keys.signal_ids, signal_id, number)
        step.forgotten += _facts(run_id, signal_id)
        step.write_head(edited)
        step.replicate = step.replicate or edited.durable is not None
        step.news.append(RunNews(edited, 0, 0, lifecycle=True, signals=True, events=(), packed=b""))
        return SignalOutcome.SIGNAL_OUTCOME_SENT, number

    @staticmethod
    def lookups(run_id: str, keys: RunKeys, signal_id: str) -> list[Lookup]:
        """Returns what must be known before a run is signalled: what waits, and whether this one was sent."""
        pending, sent = _facts(run_id, signal_id)
        return [(pending, ("HGETALL", keys.signals)), (sent, ("HGET", keys.signal_ids, signal_id))]

    def _end(self, step: Step, run: RoomRun, reason: str) -> None:
        # No message and no note of it: what never left the queue never entered the session.
        text = f"the run was cancelled: {reason}" if reason else "the run was cancelled"
        finished = RunFinished(
            state=RunState.RUN_STATE_CANCELLED,
            error=failed_status(grpc.StatusCode.CANCELLED, text, "RUN_CANCELLED", {"run_id": run.head.run_id}),
        )
        self._log.extend(step, run, [RunEvent(run_finished=finished)])


def _facts(run_id: str, signal_id: str) -> tuple[Fact, Fact]:
    return ("signals", run_id), ("signal-id", run_id, signal_id)
