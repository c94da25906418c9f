"""Mending indexes: in a Cluster they lie in other slots than what they speak of, so that either may be lost alone.

What is missing is put back at once, which at worst is in vain. What stands for nothing may belong to a commit that is
on its way: it is taken out when it does so half a minute later, too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from penstock.state.redis.entry_settling import SETTLE
from penstock.state.redis.keys import Tag
from penstock.state.redis.leases import Leases
from penstock.state.redis.link import Link
from penstock.state.redis.room_keys import room_key
from penstock.state.redis.room_pointer import GRACE_US, point, pointed_us, unpoint
from penstock.state.redis.room_state import SessionMeta
from penstock.state.redis.run_indexes import KINDS, SETTLED_US, Entry, Place, RunIndexes
from penstock.state.redis.run_reading import RunReader, RunReading, look_at
from penstock.state.redis.session_history import SessionHistory
from penstock.state.redis.store_walk import Pace, Piece, StoreWalk
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import Run

_MOST_SUSPECTS: Final = 10_000
_TOGETHER: Final = 16


class _Suspect(NamedTuple):
    key: bytes
    member: bytes
    score: bytes


class IndexRepair:
    """Goes through the store, and mends the indexes of what it finds: a bounded piece each time."""

    def __init__(
        self,
        link: Link,
        indexes: RunIndexes,
        history: SessionHistory,
        leases: Leases,
        *,
        settled_us: int = SETTLED_US,
        pace: Pace = Pace(),  # noqa: B008 - frozen
    ) -> None:
        self._link = link
        self._indexes = indexes
        self._history = history
        self._leases = leases
        self._settled_ns = settled_us * 1000
        self._walk = StoreWalk(link, KINDS, pace)
        # With the time at which each was found to stand for nothing.
        self._suspects: dict[_Suspect, int] = {}

    async def sweep(self) -> bool:
        """Does a piece when it is time for one; there is never more to do at once."""
        await self._judge()
        piece = await self._walk.take()
        if piece is not None:
            await self._look_at(piece)
            await self._walk.done(piece)
        return False

    async def _look_at(self, piece: Piece) -> None:
        work: list[Callable[[], Awaitable[None]]] = [
            *(partial(self._mend_room, Tag(key.removesuffix(b"room"))) for key in piece.rooms),
            *(partial(self._mend_run, key) for key in piece.runs),
            *(partial(self._suspect, _Suspect(piece.index_key, member, score)) for member, score in piece.entries),
        ]
        # Few at once, so that whatever else the loop has to do gets its turns.
        for begin in range(0, len(work), _TOGETHER):
            await asyncio.gather(*(look() for look in work[begin : begin + _TOGETHER]))

    async def _suspect(self, suspect: _Suspect) -> None:
        if len(self._suspects) < _MOST_SUSPECTS and not await self._is_right(suspect):
            self._suspects.setdefault(suspect, time.monotonic_ns())

    async def _judge(self) -> None:
        """Takes out what has stood for nothing for long enough and still does."""
        until = time.monotonic_ns() - self._settled_ns
        due = [suspect for suspect, since in self._suspects.items() if since <= until]
        for suspect in due[:_TOGETHER]:
            if not await self._is_right(suspect):
                await self._link.run(SETTLE, (suspect.key,), (suspect.member, suspect.score, ""))
            del self._suspects[suspect]

    async def _is_right(self, suspect: _Suspect) -> bool:
        place = Place.unpack(suspect.member)
        reading = await self._read(place.tenant, place.run_id, self._room_of(place))
        if reading is None:
            return False
        entries = self._indexes.entries(reading.run, _labels(reading), 0)
        member = suspect.member.decode()
        return any(entry.key == suspect.key and entry.member == member for entry in entries)

    async def _mend_run(self, fixed: bytes) -> None:
        """Puts a run where it is to be found, and has its id tell where it is."""
        tag = Tag(fixed[: fixed.index(b"}") + 2])
        room = room_key(tag)
        summary, names = await asyncio.gather(
            self._link.call("HGET", fixed, "s", key=fixed, read_only=True),
            self._link.call("HGET", room, "t", key=room, read_only=True),
        )
        if summary is None or names is None:
            return
        tenant, session_id = names.decode().split("\0")
        run_id = RunRecord.FromString(summary).run.run_id
        reading = await self._read(tenant, run_id, tag)
        if reading is None:
            return
        now_us = self._link.clock.now_us()
        entries = [
            *self._indexes.entries(reading.run, _labels(reading), now_us),
            *self._indexes.marks(reading.run, now_us),
        ]
        await asyncio.gather(*(self._put_back(entry) for entry in entries))
        head = reading.run.head
        if head.record.owner_instance_id and not head.finished:
            await self._leases.presume(head.record.owner_instance_id)
        if session_id and not await pointed_us(self._link, self._link.keys.run_room(tenant, run_id)):
            await point(self._link, tenant, run_id, session_id, replicate=False)

    async def _mend_room(self, tag: Tag) -> None:
        """Has a session looked at when its time comes; takes away what points to a run that is not there."""
        key = room_key(tag)
        words = ("HMGET", key, "t", "m", "p", "r", "v")
        names, meta, session_id, run_id, version = await self._link.call(*words, key=key, read_only=True)
        if names is None:
            return
        name = names.decode()
        if meta is not None:
            # A session may be older than the setting by which sessions expire.
            due_us = self._history.due_us(SessionMeta.unpack(meta))
            if due_us:
                await self._put_back(Entry(self._history.due, name, due_us))
        elif session_id is not None and run_id is not None and int(version) < self._link.clock.now_us() - GRACE_US:
            tenant = name.partition("\0")[0]
            place = Place(tenant, run_id.decode(), session_id.decode())
            if await self._read(tenant, place.run_id, self._room_of(place)) is None:
                await unpoint(self._link, tag, int(version))

    async def _put_back(self, entry: Entry) -> None:
        # Before long whoever trims logs counts them, which takes them elsewhere.
        keys = (entry.key, self._indexes.counted) if entry.key == self._indexes.to_trim else (entry.key,)
        scores: Sequence[Any] = await asyncio.gather(
            *(self._link.call("ZSCORE", key, entry.member, key=key, read_only=True) for key in keys)
        )
        if all(score is None for score in scores):
            await self._link.call("ZADD", entry.key, "NX", entry.score, entry.member, key=entry.key)

    async def _read(self, tenant: str, run_id: str, tag: Tag) -> RunReading | None:
        return RunReader.take(tenant, run_id, tag, await look_at(self._link, run_id, tag, "summary"))

    def _room_of(self, place: Place) -> Tag:
        keys = self._link.keys
        if place.session_id:
            return keys.session_room(place.tenant, place.session_id)
        return keys.run_room(place.tenant, place.run_id)


def _labels(reading: RunReading) -> dict[str, str]:
    run: Run = RunRecord.FromString(reading.summary).run
    return dict(run.labels)
