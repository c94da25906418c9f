"""Taking in exported runs: the log is made aside, and all is seen at once by the room's own commit."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from penstock.state.clock import from_timestamp
from penstock.state.log.head import RunHead, is_terminal
from penstock.state.redis.care_events import ImportedEvents, MadeLog
from penstock.state.redis.link import Link
from penstock.state.redis.log_entries import unpack_entry
from penstock.state.redis.room_keys import RunKeys, SessionKeys
from penstock.state.redis.room_pointer import TRUSTED_S, point
from penstock.state.redis.room_step import Step
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_record import RoomRun
from penstock.state.run_parts import fixed_of, head_of
from penstock.v1.run_pb2 import DURABILITY_POWER, DURABILITY_PROCESS, DURABILITY_REPLICA, RUN_STATE_QUEUED
from penstock.v1.state_admin_pb2 import ExportedEvents, ExportedRun
from penstock.wire.errors import FailedPrecondition, Unavailable

_LEVELS: Final = (DURABILITY_PROCESS, DURABILITY_POWER, DURABILITY_REPLICA)


class RunImport:
    """Makes runs as they were."""

    def __init__(self, link: Link, rooms: Rooms, claimable: Callable[[], None]) -> None:
        self._link = link
        self._rooms = rooms
        self._claimable = claimable
        self._events = ImportedEvents(link)

    async def add_events(self, exported: ExportedEvents) -> bool:
        """Keeps a piece of a log aside; see StoreCare."""
        return await self._events.keep(exported)

    async def add_run(self, exported: ExportedRun) -> None:
        """Makes a run; see StoreCare."""
        tenant, run = exported.record.tenant, exported.record.run
        room = (
            self._rooms.of_session(tenant, run.session_id) if run.session_id else self._rooms.own_of(tenant, run.run_id)
        )
        made = await self._events.make(exported, room.tag)
        trusted_until = asyncio.get_running_loop().time() + TRUSTED_S
        await self._point(exported)
        added = await room.submit(partial(self._add, exported, made))
        if not added.whole:
            raise self._not_durable(exported)
        if asyncio.get_running_loop().time() > trusted_until:
            await self._point(exported)
        self._rooms.note_place(tenant, run.run_id, room)
        await self._events.forget(exported)

    async def _point(self, exported: ExportedRun) -> None:
        tenant, run = exported.record.tenant, exported.record.run
        if run.session_id:
            replicate = self._replicated(exported)
            pointed = await point(self._link, tenant, run.run_id, run.session_id, replicate=replicate)
            if not pointed.here:
                raise FailedPrecondition(f"run {run.run_id} of tenant {tenant} is in another session there, or was")
            if not pointed.replicated:
                raise self._not_durable(exported)

    @staticmethod
    def _not_durable(exported: ExportedRun) -> Unavailable:
        run_id = exported.record.run.run_id
        return Unavailable(f"too few replicas have confirmed yet that run {run_id} is there", reason="NOT_DURABLE")

    def _replicated(self, exported: ExportedRun) -> bool:
        # A store that can't confirm anything shows what it has.
        durability = exported.record.run.durability
        return durability == DURABILITY_REPLICA and self._link.keeps(DURABILITY_REPLICA)

    def _add(self, exported: ExportedRun, made: MadeLog, step: Step) -> RoomRun:
        record = exported.record
        run_id, session_id = record.run.run_id, record.run.session_id
        if step.run(run_id) is not None or (not session_id and step.state.pointer is not None):
            raise FailedPrecondition(f"run {run_id} of tenant {record.tenant} came into being there meanwhile")
        busy = None if is_terminal(record.run.state) else step.first_unfinished()
        if busy is not None and record.run.state != RUN_STATE_QUEUED:
            raise FailedPrecondition(
                f"run {run_id} is going on, and its session is busy with run {busy.head.run_id} there"
            )
        if made.entries:
            # A server that was lost since may have lost it: whoever answers this will rename it.
            fact = ("entries", run_id, made.key)
            newest = step.know(fact, "XREVRANGE", made.key, "+", "-", "COUNT", 1)
            if not newest or unpack_entry(newest[0][0], newest[0][1][1]).last != made.last:
                raise FailedPrecondition(f"what was made of the events of run {run_id} was lost; import it again")
        run = self._make(exported, made, step)
        run.head.claimable = not run.head.finished and busy is None
        step.add(run)
        self._write(exported, made, run, step)
        return run

    def _make(self, exported: ExportedRun, made: MadeLog, step: Step) -> RoomRun:
        record, run = exported.record, exported.record.run
        replicated = self._replicated(exported)
        return RoomRun(
            head=RunHead(
                number=step.next_number(),
                tenant=record.tenant,
                run_id=run.run_id,
                session_id=run.session_id,
                record=head_of(record),
                signals=exported.signals_sent,
                output_sequence=exported.output_sequence,
                waiting=set(exported.waiting_step_ids),
                last_sequence=made.last,
                log_bytes=made.log_bytes,
                entries=made.entries,
            ),
            keys=RunKeys.of(step.room.tag, run.run_id),
            durability=run.durability if run.durability in _LEVELS else DURABILITY_PROCESS,
            created_us=from_timestamp(run.create_time),
            deadline_us=from_timestamp(run.deadline_time) if run.HasField("deadline_time") else 0,
            durable=0 if replicated else None,
            recorded=not replicated,
            bases=[(base.generation, base.last_common_sequence) for base in exported.bases],
            checkpoints={step_id: len(data) for step_id, data in record.checkpoints.items()},
            first_sequence=made.first or 1,
        )

    def _write(self, exported: ExportedRun, made: MadeLog, run: RoomRun, step: Step) -> None:
        record, keys = exported.record, run.keys
        if made.entries:
            step.write("RENAME", made.key, keys.log)
            step.write("PERSIST", keys.log)
        summary, body = fixed_of(record)
        step.write("HSET", keys.fixed, "s", summary.SerializeToString(), "b", body.SerializeToString())
        if run.head.session_id:
            step.write("ZADD", SessionKeys.of(step.room.tag).runs, run.created_us, run.head.run_id)
        for signal in record.pending_signals:
            number = signal.signal_number
            step.write("HSET", keys.signals, f"p{number}", signal.SerializeToString())
            step.write("HSET", keys.signal_ids, signal.signal_id, number)
        for step_id, data in record.checkpoints.items():
            step.write("HSET", keys.checkpoints, step_id, data)
        if run.durable is not None:
            step.replicate = True
        if run.head.finished:
            if run.head.output_sequence:
                step.write("HSET", keys.fixed, "o", run.head.output_sequence)
        else:
            step.write_numbers(run)
            if run.durable is not None:
                step.fields[keys.durable] = "-"
            step.then.append(self._claimable)
        step.write_head(run)
        step.indexes += self._rooms.indexes.recorded(run, record.run.labels, step.now_us)
