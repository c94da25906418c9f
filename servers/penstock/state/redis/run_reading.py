"""Reading a run as it stands, in one look at its room."""

from asyncio import Future
from collections.abc import Sequence
from typing import Final, NamedTuple

from penstock.state.redis.keys import Tag
from penstock.state.redis.link import Link
from penstock.state.redis.log_entries import unpack_entry
from penstock.state.redis.room_keys import RunKeys, room_key
from penstock.state.redis.room_step import Step
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_record import RoomRun, note_durable, record_in, unpack_head
from penstock.state.redis.scripts import Reply, Script
from penstock.v1.run_event_pb2 import StepFinished
from penstock.v1.run_log_pb2 import PendingSignal, ReadEventsResponse, RunRecord
from penstock.v1.run_pb2 import RUN_STATE_RUNNING, RUN_STATE_SUCCEEDED
from penstock.wire.errors import Unavailable

_MOST_LOOKS: Final = 10

# KEYS: the room, the run's fixed hash, its signals, its checkpoints, its log. ARGV: the run's fields in the room's hash
# (head, numbers, durable), then what is wanted: 'state', 'signals', 'summary', 'run' or 'record'.
# Answers identity, head, numbers, durable, summary, body, output, pending signals, checkpoints; no head: no run.
READ_RUN: Final = Script(
    """#!lua flags=no-writes
local room = redis.call('HMGET', KEYS[1], 'i', ARGV[1], ARGV[2], ARGV[3])
local fixed = redis.call('HMGET', KEYS[2], 'h', 'n', 'd', 'o')
local ended = fixed[1]
local head = ended or room[2]
if not head then
  return {room[1]}
end
local found = {room[1], head, ended and fixed[2] or room[3], false, false, false, false, false, false}
if ended then found[4] = fixed[3] else found[4] = room[4] end
if ARGV[4] == 'state' then
  return found
end
if ARGV[4] == 'signals' then
  if not ended then found[8] = redis.call('HGETALL', KEYS[3]) end
  return found
end
found[5] = redis.call('HGET', KEYS[2], 's')
if ARGV[4] == 'summary' then
  return found
end
found[6] = redis.call('HGET', KEYS[2], 'b')
if fixed[4] then
  local entry = redis.call('XREVRANGE', KEYS[5], fixed[4] .. '-0', '-', 'COUNT', 1)[1]
  found[7] = entry and entry[2][2]
end
if ARGV[4] == 'record' and not ended then
  found[8] = redis.call('HGETALL', KEYS[3])
  found[9] = redis.call('HGETALL', KEYS[4])
end
return found
""",
    read_only=True,
)


class RunReading(NamedTuple):
    """Represents a run as a look found it; what was not asked for is empty.

    `stands` turns False where a run that goes on was written by another server, and what became of it is to be seen.
    """

    run: RoomRun
    record: bytes
    stands: bool
    summary: bytes
    body: bytes
    output: bytes
    signals: Sequence[bytes]
    checkpoints: Sequence[bytes]

    def put_together(self) -> RunRecord:
        """Returns the run's record; the plan is left in the spec too."""
        # Messages in their encoded form merge by standing side by side.
        record = RunRecord.FromString(self.summary + self.body + self.record)
        run = record.run
        run.last_sequence, run.durable_sequence = self.run.head.last_sequence, self.run.readable
        if self.run.head.finished and not self.run.whole:
            # Its end may yet be lost; until that is ruled out nobody may see it.
            run.state = RUN_STATE_RUNNING
            run.ClearField("finish_time")
            run.ClearField("error")
        elif self.output and run.state == RUN_STATE_SUCCEEDED:
            run.output.extend(StepFinished.FromString(self.output).output)
        for step_id, data in zip(self.checkpoints[::2], self.checkpoints[1::2], strict=True):
            record.checkpoints[step_id.decode()] = data
        record.pending_signals.extend(pending_signals(self.signals, 0))
        return record


class RunReader:
    """Looks at runs."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def read(self, tenant: str, run_id: str, wanted: str) -> RunReading | None:
        """Reads a run: its `state`, also its `signals` or `summary`, the whole `run`, or all of its `record`.

        None: there is no such run.
        """
        for _ in range(_MOST_LOOKS):
            known = self._rooms.place(tenant, run_id)
            tag = known or (await self._rooms.find(tenant, run_id)).tag
            reading = self.take(tenant, run_id, tag, await self.look(tenant, run_id, tag, wanted))
            if reading is None and known is not None:
                # It may have been removed, and its name be another's since, in another session.
                self._rooms.forget_place(tenant, run_id)
                continue
            if reading is None or reading.stands:
                return reading
            # Whatever is done to the room first sees what became of it when its server changed.
            await self._rooms.submit(tenant, run_id, nothing)
        raise Unavailable("the state layer's Redis changes too often now", reason="STORE_UNAVAILABLE")

    def look(self, tenant: str, run_id: str, tag: Tag, wanted: str) -> Future[Reply]:
        """Looks at a run in a room."""
        return look_at(self._rooms.link, run_id, tag, wanted)

    @staticmethod
    def take(tenant: str, run_id: str, tag: Tag, reply: Reply) -> RunReading | None:
        """Takes in what a look brought; None: there is no such run."""
        identity, *found = reply.value
        if not found:
            return None
        head, numbers, durable, summary, body, output, signals, checkpoints = found
        run = unpack_head(tenant, run_id, RunKeys.of(tag, run_id), head, numbers)
        note_durable(run, durable)
        return RunReading(
            run=run,
            record=record_in(head),
            stands=run.head.finished or reply.server.is_life_of(identity),
            summary=summary or b"",
            body=body or b"",
            output=b"" if output is None else _output(run, output),
            signals=signals or (),
            checkpoints=checkpoints or (),
        )


def look_at(link: Link, run_id: str, tag: Tag, wanted: str) -> Future[Reply]:
    """Looks at a run in a room."""
    keys = RunKeys.of(tag, run_id)
    return link.run(
        READ_RUN,
        (room_key(tag), keys.fixed, keys.signals, keys.checkpoints, keys.log),
        (keys.head, keys.numbers, keys.durable, wanted),
    )


def _output(run: RoomRun, entry: bytes) -> bytes:
    for event in ReadEventsResponse.FromString(unpack_entry(b"0-0", entry).packed).events:
        if event.sequence == run.head.output_sequence:
            return event.step_finished.SerializeToString()
    return b""


def nothing(step: Step) -> None:
    """Does nothing to a room, and so only what must be done before anything else is."""


def pending_signals(flat: Sequence[bytes], after: int) -> list[PendingSignal]:
    """Returns the signals that are not taken in yet, of the hash of a run's signals, in order."""
    pending = map(PendingSignal.FromString, flat[1::2])
    return sorted((signal for signal in pending if signal.signal_number > after), key=lambda one: one.signal_number)
