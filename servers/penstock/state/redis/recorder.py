"""Recording runs: create-or-get, and what a busy session means for it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from penstock.state.clock import to_timestamp
from penstock.state.durability_refusal import durability_refused
from penstock.state.log.event_rules import check_events
from penstock.state.log.head import RunHead
from penstock.state.log.refused import Refused
from penstock.state.redis.log_writing import LogWriting
from penstock.state.redis.room_keys import RunKeys, SessionKeys
from penstock.state.redis.room_step import Step
from penstock.state.redis.run_indexes import RunIndexes
from penstock.state.redis.run_reading import RunReader
from penstock.state.redis.run_record import RoomRun, pack_head, record_in
from penstock.state.redis.run_signals import RunSignals
from penstock.state.redis.session_history import SessionHistory
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
    DURABILITY_POWER,
    DURABILITY_PROCESS,
    DURABILITY_REPLICA,
    ON_BUSY_ENQUEUE,
    ON_BUSY_INTERRUPT,
    ON_BUSY_REJECT,
    RUN_STATE_QUEUED,
    Durability,
    Run,
    RunSpec,
    Signal,
)
from penstock.wire.context import trace_id_of
from penstock.wire.errors import InvalidArgument, ResourceExhausted

_LEVELS: Final = (DURABILITY_PROCESS, DURABILITY_POWER, DURABILITY_REPLICA)

EXISTS: Final = "exists"
"""What `record` answers instead of a result when the run is there already; whoever asked then reads it."""

ELSEWHERE: Final = "elsewhere"
"""The same when the id was taken for a run of a session."""


class Recorder:
    """Records runs, each in one operation with its claim and first events."""

    def __init__(
        self,
        log: LogWriting,
        signals: RunSignals,
        history: SessionHistory,
        indexes: RunIndexes,
        keeps: Callable[[Durability], bool],
        claimable: Callable[[], None],
    ) -> None:
        self._log = log
        self._signals = signals
        self._history = history
        self._indexes = indexes
        self._keeps = keeps
        self._claimable = claimable

    def _check_durability(self, entry: RecordRunsEntry) -> None:
        """Raises FailedPrecondition when the store does not keep a run as safe as it is to be kept."""
        durability = entry.spec.durability
        if durability and not self._keeps(durability):
            best = max(level for level in _LEVELS if self._keeps(level))
            raise durability_refused(durability, best)

    def refuses(self, entry: RecordRunsEntry, step: Step) -> RecordRunsResult | None:
        """Answers for a run that waits for none, in a session that is busy; None: it may be recorded, or is there."""
        if step.run(entry.run_id) is not None:
            return None
        self._check_durability(entry)
        busy = step.first_unfinished()
        if busy is None:
            return None
        return RecordRunsResult(outcome=RECORD_OUTCOME_SESSION_BUSY, busy_run_id=busy.head.run_id)

    def record(self, entry: RecordRunsEntry, has_lease: bool, step: Step) -> RecordRunsResult | str:
        """Creates a run; EXISTS or ELSEWHERE: there is one of that id.

        Raises:
            PenstockError: the store can't keep it as asked.
        """
        if not entry.spec.session_id and step.state.pointer is not None:
            return ELSEWHERE
        if step.run(entry.run_id) is not None:
            return EXISTS
        self._check_durability(entry)
        spec = entry.spec
        if spec.session_id:
            step.know_all(self._history.lookups(step, entry.session_messages))
        interrupted = self._interrupt(step, entry)
        busy = step.first_unfinished() if spec.session_id else None
        if busy is not None and spec.on_busy == ON_BUSY_REJECT:
            return RecordRunsResult(outcome=RECORD_OUTCOME_SESSION_BUSY, busy_run_id=busy.head.run_id)
        if spec.session_id:
            self._history.ensure(step)
        run, summary, body = _new(step, entry)
        step.add(run)
        outcome = RECORD_OUTCOME_QUEUED
        if busy is None and entry.owner_instance_id and has_lease:
            run = self._start(step, run, entry)
            outcome = RECORD_OUTCOME_STARTED
        elif busy is None:
            run.head.claimable = True
        if outcome == RECORD_OUTCOME_QUEUED:
            step.then.append(self._claimable)  # there is more to claim, now or at its deadline
        step.write("HSET", run.keys.fixed, "s", summary, "b", body)
        if spec.session_id:
            step.write("ZADD", SessionKeys.of(step.room.tag).runs, run.created_us, entry.run_id)
        if not run.head.finished:
            if run.durable is not None:
                step.fields[run.keys.durable] = "-"
                step.replicate = True
            step.write_head(run)
        step.indexes += self._indexes.recorded(run, spec.labels, step.now_us)
        # Messages in their encoded form merge by standing side by side.
        record = RunRecord.FromString(summary + body + record_in(pack_head(run)))
        record.spec.ClearField("plan")
        result = RecordRunsResult(outcome=outcome, record=record, interrupted_run_ids=interrupted)

        def finish() -> None:
            stands = result.record.run
            stands.last_sequence, stands.durable_sequence = run.head.last_sequence, run.readable
            result.durable = run.whole

        step.finish.append(finish)
        return result

    def _start(self, step: Step, run: RoomRun, entry: RecordRunsEntry) -> RoomRun:
        run.head.record.owner_instance_id = entry.owner_instance_id
        run.head.record.epoch = 1
        run.head.changed = True
        if not entry.events or not entry.events[0].HasField("run_started"):
            raise InvalidArgument.of([("events", "must begin with run_started when an instance claims the run")])
        try:
            check_events(AppendEventsEntry(events=entry.events))
            return self._log.extend(step, run, entry.events, entry.session_messages)[0]
        except Refused as refused:
            raise InvalidArgument.of([("events", refused.detail)]) from refused

    def _interrupt(self, step: Step, entry: RecordRunsEntry) -> Sequence[str]:
        """Cancels the session's runs if the new one is to interrupt them; returns which."""
        if not entry.spec.session_id or entry.spec.on_busy != ON_BUSY_INTERRUPT:
            return []
        unfinished = [run.head.run_id for run in step.unfinished()]
        # All must be known before the first is changed.
        tag, cancel_id = step.room.tag, entry.run_id
        lookups = (self._signals.lookups(run_id, RunKeys.of(tag, run_id), cancel_id) for run_id in unfinished)
        step.know_all([lookup for of_run in lookups for lookup in of_run])
        # The newest first, so that no turn comes to a run that is about to be cancelled.
        for run_id in reversed(unfinished):
            cancel = Signal(cancel=Signal.Cancel(reason=f"interrupted by run {entry.run_id}"))
            # Without room for one more a cancel waits already to be taken in, and one is enough.
            with suppress(ResourceExhausted):
                self._signals.send(step, run_id, entry.run_id, cancel)
        return unfinished


async def existing(reader: RunReader, entry: RecordRunsEntry) -> RecordRunsResult | None:
    """Compares an entry with the run that is there; None: it is gone again."""
    reading = await reader.read(entry.tenant, entry.run_id, "record")
    if reading is None:
        return None
    record = reading.put_together()
    stored = record.spec
    stored.input.extend(record.run.input)
    if _body(stored) != _body(entry.spec):
        return RecordRunsResult(outcome=RECORD_OUTCOME_DIFFERS)
    stored.ClearField("input")
    stored.ClearField("plan")
    return RecordRunsResult(outcome=RECORD_OUTCOME_EXISTING, record=record, durable=reading.run.whole)


def _body(spec: RunSpec) -> RunSpec:
    body = RunSpec()
    body.CopyFrom(spec)
    body.ClearField("idempotency_key")
    body.ClearField("timeout")
    body.on_busy = body.on_busy or ON_BUSY_ENQUEUE
    body.durability = body.durability or DURABILITY_PROCESS
    return body


def _new(step: Step, entry: RecordRunsEntry) -> tuple[RoomRun, bytes, bytes]:
    """Makes a new run, QUEUED, and what is fixed of it, in encoded form."""
    spec = entry.spec
    durability = spec.durability or DURABILITY_PROCESS
    summary = Run(
        run_id=entry.run_id,
        session_id=spec.session_id,
        labels=spec.labels,
        create_time=to_timestamp(step.now_us),
        durability=durability,
        workflow=spec.workflow,
        trace_id=trace_id_of(entry.traceparent),
    )
    deadline_us = 0
    if spec.HasField("timeout"):
        deadline_us = step.now_us + spec.timeout.ToMicroseconds()
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
    replicated = durability == DURABILITY_REPLICA
    run = RoomRun(
        head=RunHead(
            number=step.next_number(),
            tenant=entry.tenant,
            run_id=entry.run_id,
            session_id=spec.session_id,
            record=RunRecord(run=Run(state=RUN_STATE_QUEUED, generation=step.generation)),
        ),
        keys=RunKeys.of(step.room.tag, entry.run_id),
        durability=durability,
        created_us=step.now_us,
        deadline_us=deadline_us,
        durable=0 if replicated else None,
        recorded=not replicated,
    )
    return run, RunRecord(run=summary).SerializeToString(), body.SerializeToString()
