"""Writing to run logs: one entry is one operation on the run's room."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from penstock.state.clock import to_timestamp
from penstock.state.log.cap import check_cap
from penstock.state.log.event_rules import STREAMED, check_events
from penstock.state.log.fences import check_fences
from penstock.state.log.projection import Consequences, apply
from penstock.state.log.refused import Refused, invalid
from penstock.state.redis.log_entries import FIELD, LogEntry, pack_entry, stream_id, unpack_entry
from penstock.state.redis.room_step import RunNews, Step
from penstock.state.redis.run_indexes import RunIndexes, place_of
from penstock.state.redis.run_record import RoomRun
from penstock.state.redis.session_history import SessionHistory
from penstock.state.settings import StateSettings
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
from penstock.v1.run_pb2 import DURABILITY_REPLICA, RUN_STATE_QUEUED, Durability
from penstock.v1.session_pb2 import SessionMessage

# Bits of the mark that a run's start, or its end, is still to be published.
STARTED: Final = 1
ENDED: Final = 2

# An entry may be repeated while it is among this many newest ones of its run.
_REMEMBERED: Final = 1000
_PAGE: Final = 100
_MAX_CHECKPOINT_BYTES: Final = 1024 * 1024
# Of so many writers the newest entries are known; one of more is forgotten once its last entry is.
_MOST_WRITERS: Final = 2 * _REMEMBERED


class LogWriting:
    """Appends to logs, keeps heads in step with them, and passes the turn on when a session's run ends."""

    def __init__(
        self,
        history: SessionHistory,
        indexes: RunIndexes,
        settings: StateSettings,
        keeps: Callable[[Durability], bool],
        turn_came: Callable[[], None],
    ) -> None:
        self._history = history
        self._indexes = indexes
        self._settings = settings
        self._keeps = keeps
        self._turn_came = turn_came

    def append(self, entry: AppendEventsEntry, step: Step) -> AppendEventsResult:
        """Puts an entry into its log, or raises Refused."""
        run = step.run(entry.run_id)
        if run is None:
            raise Refused(APPEND_OUTCOME_NOT_FOUND, f"there is no run {entry.run_id}")
        head = run.head
        old = head.finished or entry.writer_sequence <= head.writers.get(entry.writer_id, 0)
        if old and (repeated := _repeated(step, run, entry)) is not None:
            if not run.whole:
                step.replicate = True
                step.touch()
                if head.finished:
                    step.add(run)
            return _answer(step, run, APPEND_OUTCOME_REPEATED, repeated)
        check_fences(head, entry)
        if old:
            raise Refused(
                APPEND_OUTCOME_OUT_OF_ORDER,
                f"writer {entry.writer_id} is past number {entry.writer_sequence}, which is not remembered",
            )
        known = head.writers.get(entry.writer_id, 0)
        if run.bases and entry.writer_sequence > known + 1:
            raise Refused(
                APPEND_OUTCOME_OUT_OF_ORDER,
                f"writer {entry.writer_id} has come to number {entry.writer_sequence}, and all after {known} was lost",
            )
        check_events(entry)
        if entry.durability and not self._keeps(entry.durability):
            raise invalid(f"durability: this store does not keep {Durability.Name(entry.durability)}")
        if entry.session_messages and not head.session_id:
            raise invalid("session_messages: the run has no session")
        check_cap(head, entry, self._settings)
        run, numbers = self.extend(
            step,
            run,
            entry.events,
            entry.session_messages,
            step_id=entry.step_id,
            checkpoint=entry.checkpoint if entry.HasField("checkpoint") else None,
            writer=(entry.writer_id, entry.writer_sequence),
            replicate=entry.durability == DURABILITY_REPLICA,
        )
        return _answer(step, run, APPEND_OUTCOME_APPENDED, numbers)

    def extend(
        self,
        step: Step,
        run: RoomRun,
        events: Sequence[RunEvent],
        session_messages: Sequence[SessionMessage] = (),
        *,
        step_id: str = "",
        checkpoint: bytes | None = None,
        writer: tuple[str, int] = ("", 0),
        replicate: bool = False,
    ) -> tuple[RoomRun, tuple[int, int]]:
        """Numbers events and appends them with all that follows from them.

        Returns the run as it is then, and the first and last number.

        Raises:
            Refused: an event does not fit the log.
            Unknown: more must be looked up first.
        """
        stamped = ReadEventsResponse(events=events)
        streamed = checkpoint is None and not session_messages and not run.doubted_us
        streamed = streamed and STREAMED.issuperset([event.WhichOneof("event") for event in stamped.events])
        # Tokens change a run's numbers only, and those last, when nothing can go wrong any more.
        if not streamed:
            if run.head.session_id:
                step.know_all(self._history.lookups(step, session_messages))
            run = step.edit(run)
        head = run.head
        if run.doubted_us:
            run.doubted_us = 0
            head.changed = True
            step.cleanup += self._indexes.no_longer_free(place_of(run))
        time = to_timestamp(step.now_us)
        consequences = Consequences()
        for sequence, event in enumerate(stamped.events, head.last_sequence + 1):
            event.sequence = sequence
            event.time.CopyFrom(time)
        # An attempt's tokens are all of that attempt: what its first one says of the run, all others say too.
        for event in stamped.events[:1] if streamed and step_id else stamped.events:
            if event.HasField("run_started"):
                _check_turn(step, run)
                self._mark(step, run, STARTED)
                self._history.fix(step, run)
                event.run_started.history_index = head.record.history_index
                event.run_started.history_first_index = head.record.history_first_index
            apply(head, event, time, consequences)
        _take_signals(step, run, consequences.taken_signals)
        if checkpoint is not None:
            _keep_checkpoint(step, run, step_id, checkpoint)
        if head.session_id and (session_messages or consequences.finished):
            self._history.append(step, session_messages, writer=run)
        numbers = _write(step, run, stamped, consequences, writer)
        if replicate and run.durable is None:
            run.durable = numbers[0] - 1 if numbers[0] else head.last_sequence
            step.fields[run.keys.durable] = run.durable
        if run.durable is not None:
            step.replicate = True
        if consequences.finished:
            self._end(step, run)
        elif head.changed:
            step.write_head(run)
        return run, numbers

    def _mark(self, step: Step, run: RoomRun, bit: int) -> None:
        if self._settings.lifecycle_topic:
            run.head.outbox |= bit
            run.head.changed = True
            step.indexes.append(self._indexes.marked(run, bit, step.now_us))

    def _end(self, step: Step, run: RoomRun) -> None:
        self._mark(step, run, ENDED)
        step.write("UNLINK", run.keys.checkpoints, run.keys.signals)
        step.indexes += self._indexes.ended(run, step.now_us)
        step.cleanup += self._indexes.no_longer_active(run)
        step.write_head(run)
        if run.head.output_sequence:
            step.write("HSET", run.keys.fixed, "o", run.head.output_sequence)
        self._pass_turn(step)

    def _pass_turn(self, step: Step) -> None:
        first = step.first_unfinished()
        if first is None or first.head.state != RUN_STATE_QUEUED or first.head.record.owner_instance_id:
            return
        head = step.edit(first)
        head.head.claimable = True
        step.indexes.append(self._indexes.free(head, step.now_us))
        step.write_head(head)
        step.then.append(self._turn_came)


def _write(
    step: Step, run: RoomRun, stamped: ReadEventsResponse, consequences: Consequences, writer: tuple[str, int]
) -> tuple[int, int]:
    """Puts an entry behind the others, and takes down the log's new numbers; returns those of the events."""
    head = run.head
    count = len(stamped.events)
    packed = stamped.SerializeToString()
    first = head.last_sequence + 1
    head.last_sequence += count
    head.log_bytes += len(packed)
    head.entries += 1
    writer_id, writer_sequence = writer
    if writer_id:
        head.writers[writer_id] = writer_sequence
        run.writer_entries[writer_id] = head.entries
        step.fields[run.keys.writers + writer_id.encode()] = f"{writer_sequence} {head.entries}"
        if len(head.writers) > _MOST_WRITERS:
            _forget_writers(step, run)
    if writer_id or count:
        entry = pack_entry(
            head.last_sequence, head.log_bytes, writer_id, writer_sequence, packed, lifecycle=consequences.lifecycle
        )
        name = stream_id(first, head.entries, has_events=bool(count))
        step.write("XADD", run.keys.log, name, FIELD, entry)
    step.write_numbers(run)
    if not count:
        return 0, 0
    step.news.append(RunNews(run, first, head.last_sequence, consequences.lifecycle, False, stamped.events, packed))
    return first, head.last_sequence


def _forget_writers(step: Step, run: RoomRun) -> None:
    old = [writer for writer, entry in run.writer_entries.items() if entry <= run.head.entries - _REMEMBERED]
    for writer in old:
        del run.writer_entries[writer], run.head.writers[writer]
        step.removed.append(run.keys.writers + writer.encode())


def _check_turn(step: Step, run: RoomRun) -> None:
    first = step.first_unfinished()
    if run.head.session_id and first is not None and first.head.run_id != run.head.run_id:
        raise invalid(f"run_started: run {first.head.run_id} of the same session has not ended")


def _take_signals(step: Step, run: RoomRun, numbers: Sequence[int]) -> None:
    if not numbers:
        return
    fact = ("signals", run.head.run_id)
    flat = step.know(fact, "HGETALL", run.keys.signals)
    pending = set(flat[::2])
    for number in numbers:
        field = b"p%d" % number
        if field not in pending:
            raise invalid(f"signal: no signal {number} waits to be taken in")
        pending.discard(field)
        step.write("HDEL", run.keys.signals, field)
    step.forgotten.append(fact)


def _keep_checkpoint(step: Step, run: RoomRun, step_id: str, checkpoint: bytes) -> None:
    others = sum(size for other, size in run.checkpoints.items() if other != step_id)
    if others + len(checkpoint) > _MAX_CHECKPOINT_BYTES:
        raise invalid(f"checkpoint: those of a run hold at most {_MAX_CHECKPOINT_BYTES} bytes together")
    if checkpoint:
        run.checkpoints[step_id] = len(checkpoint)
        step.write("HSET", run.keys.checkpoints, step_id, checkpoint)
    else:
        run.checkpoints.pop(step_id, None)
        step.write("HDEL", run.keys.checkpoints, step_id)
    run.head.changed = True


def _repeated(step: Step, run: RoomRun, entry: AppendEventsEntry) -> tuple[int, int] | None:
    """Looks for an entry among the newest of its run; returns the numbers of its events."""
    until = "+"
    for page in range(0, _REMEMBERED, _PAGE):
        fact = ("entries", run.head.run_id, until, run.head.last_sequence, run.head.entries)
        found = step.know(fact, "XREVRANGE", run.keys.log, until, "-", "COUNT", _PAGE)
        for name, (_, value) in found:
            kept: LogEntry = unpack_entry(name, value)
            if kept.writer == entry.writer_id and kept.writer_sequence == entry.writer_sequence:
                return (kept.first, kept.last) if kept.last >= kept.first else (0, 0)
        if len(found) < _PAGE or page + _PAGE >= _REMEMBERED:
            break
        until = "(" + found[-1][0].decode()
    return None


def _answer(step: Step, run: RoomRun, outcome: AppendOutcome, numbers: tuple[int, int]) -> AppendEventsResult:
    first, last = numbers
    result = AppendEventsResult(
        outcome=outcome,
        first_sequence=first,
        last_sequence=last,
        durable_sequence=run.head.last_sequence,
        generation=run.head.record.run.generation,
    )
    if run.durable is not None:
        step.finish.append(partial(_tell_durable, result, run))
    return result


def _tell_durable(result: AppendEventsResult, run: RoomRun) -> None:
    result.durable_sequence = run.readable
