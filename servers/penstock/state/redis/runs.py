"""Runs and their logs on Redis."""

import asyncio
from asyncio import Future
from functools import partial
from typing import Final

from penstock.state.redis.errands import Errands
from penstock.state.redis.leases import Leases
from penstock.state.redis.listing import Listing
from penstock.state.redis.log_reader import LogLooker, RedisRunLog
from penstock.state.redis.log_writing import LogWriting
from penstock.state.redis.recorder import ELSEWHERE, Recorder, existing
from penstock.state.redis.replica import confirm_runs
from penstock.state.redis.room_pointer import TRUSTED_S, point
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_reading import RunReader
from penstock.state.stores import Page, RunQuery
from penstock.v1.run_log_pb2 import (
    RECORD_OUTCOME_DIFFERS,
    AppendEventsEntry,
    AppendEventsResult,
    RecordRunsEntry,
    RecordRunsResult,
    RunRecord,
)
from penstock.v1.run_pb2 import DURABILITY_REPLICA, ON_BUSY_REJECT, Run
from penstock.wire.errors import Unavailable

_MOST_TRIES: Final = 3


class RedisRuns:
    """Keeps runs and their logs."""

    def __init__(
        self,
        rooms: Rooms,
        reader: RunReader,
        recorder: Recorder,
        log: LogWriting,
        looker: LogLooker,
        listing: Listing,
        leases: Leases,
        errands: Errands,
    ) -> None:
        self._rooms = rooms
        self._reader = reader
        self._recorder = recorder
        self._log = log
        self._looker = looker
        self._listing = listing
        self._leases = leases
        self._errands = errands

    def record(self, entry: RecordRunsEntry) -> Future[RecordRunsResult]:
        """See RunStore."""
        return self._errands.run(self._record(entry))

    def append(self, entry: AppendEventsEntry) -> Future[AppendEventsResult]:
        """See RunStore."""
        return self._rooms.submit(entry.tenant, entry.run_id, partial(self._log.append, entry))

    async def read(self, tenant: str, run_id: str, *, run_only: bool) -> RunRecord | None:
        """See RunStore."""
        wanted = "run" if run_only else "record"
        reading = await self._reader.read(tenant, run_id, wanted)
        if run_only and reading is not None and not reading.run.recorded:
            # What users are shown must not be lost; the mark that says so may be on its way, or be lost.
            await self._rooms.submit(tenant, run_id, partial(confirm_runs, [run_id]))
            reading = await self._reader.read(tenant, run_id, wanted)
            if reading is not None and not reading.run.recorded:
                text = f"too few replicas have confirmed yet that run {run_id} is recorded"
                raise Unavailable(text, reason="NOT_DURABLE")
        if reading is None:
            return None
        record = reading.put_together()
        if run_only:
            return RunRecord(tenant=record.tenant, run=record.run)
        record.spec.ClearField("plan")
        return record

    async def find(self, query: RunQuery) -> Page[Run]:
        """See RunStore."""
        return await self._listing.find(query)

    async def open_log(self, tenant: str, run_id: str) -> RedisRunLog | None:
        """See RunStore."""
        followed = self._rooms.followers.follow(tenant, run_id)
        reading, tag = await self._looker.open(followed)
        if reading is None:
            return None
        return RedisRunLog(self._reader, self._rooms, followed, tag)

    async def _record(self, entry: RecordRunsEntry) -> RecordRunsResult:
        tenant, run_id, session_id = entry.tenant, entry.run_id, entry.spec.session_id
        replicate = entry.spec.durability == DURABILITY_REPLICA
        owner = entry.owner_instance_id
        has_lease = bool(owner) and await self._leases.held(owner)
        pointer_stands = True
        if session_id:
            room = self._rooms.of_session(tenant, session_id)
            if entry.spec.on_busy == ON_BUSY_REJECT:
                # Before it is noted where the run is: that note would stay though there never was such a run.
                refused = await room.submit(partial(self._recorder.refuses, entry))
                if refused is not None:
                    return await existing(self._reader, entry) or refused
            trusted_until = asyncio.get_running_loop().time() + TRUSTED_S
            pointed = await point(self._rooms.link, tenant, run_id, session_id, replicate=replicate)
            if not pointed.here:
                return await existing(self._reader, entry) or RecordRunsResult(outcome=RECORD_OUTCOME_DIFFERS)
            pointer_stands = pointed.replicated
        else:
            room = self._rooms.own_of(tenant, run_id)
        for _ in range(_MOST_TRIES):
            result = await room.submit(partial(self._recorder.record, entry, has_lease))
            if isinstance(result, RecordRunsResult):
                if session_id and asyncio.get_running_loop().time() > trusted_until:
                    pointed = await point(self._rooms.link, tenant, run_id, session_id, replicate=replicate)
                    if not pointed.here:
                        break
                    pointer_stands = pointed.replicated
                self._rooms.note_place(tenant, run_id, room)
                result.durable = result.durable and pointer_stands
                return result
            found = await existing(self._reader, entry)
            if found is None and result == ELSEWHERE:
                return RecordRunsResult(outcome=RECORD_OUTCOME_DIFFERS)
            if found is not None:
                if found.HasField("record") and not found.durable:
                    await self._rooms.submit(tenant, run_id, partial(confirm_runs, [run_id]))
                    found = await existing(self._reader, entry) or found
                found.durable = found.durable and pointer_stands
                return found
        raise Unavailable(f"run {run_id} comes and goes; nothing was recorded", reason="CONTENDED")
