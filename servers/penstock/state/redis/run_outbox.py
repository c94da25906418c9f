"""The outbox on Redis: a mark in a run's head until its start, and one until its end, has been published."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from penstock.state.lifecycle import LifecycleNews
from penstock.state.redis.entry_settling import SETTLE
from penstock.state.redis.log_writing import ENDED, STARTED
from penstock.state.redis.room_step import Step
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import SETTLED_US, Place, RunIndexes
from penstock.state.redis.run_reading import RunReader
from penstock.v1.run_pb2 import RUN_STATE_RUNNING


class _Mark(NamedTuple):
    member: bytes
    marked_us: int
    place: Place
    bit: int


class RedisOutbox:
    """Says which starts and ends of runs are still to be published."""

    def __init__(self, rooms: Rooms, reader: RunReader, indexes: RunIndexes) -> None:
        self._rooms = rooms
        self._reader = reader
        self._indexes = indexes

    async def pending(self, limit: int) -> Sequence[LifecycleNews]:
        """See LifecycleOutbox."""
        key = self._indexes.outbox
        flat = await self._rooms.link.call("ZRANGE", key, 0, limit - 1, "WITHSCORES", key=key, read_only=True)
        marks = [
            _Mark(member, int(float(score)), Place.unpack(member), int(member.rsplit(b"\0", 1)[1]))
            for member, score in zip(flat[::2], flat[1::2], strict=True)
        ]
        news = await asyncio.gather(*(self._read(mark) for mark in marks))
        return [one for one in news if one is not None]

    async def clear(self, news: Sequence[LifecycleNews]) -> None:
        """See LifecycleOutbox."""
        await asyncio.gather(
            *(
                self._rooms.submit(
                    one.tenant,
                    one.run.run_id,
                    partial(self._clear, one.run.run_id, STARTED if one.state == RUN_STATE_RUNNING else ENDED),
                )
                for one in news
            )
        )

    async def _read(self, mark: _Mark) -> LifecycleNews | None:
        reading = await self._reader.read(mark.place.tenant, mark.place.run_id, "summary")
        if reading is None or not reading.run.head.outbox & mark.bit:
            if mark.marked_us < self._rooms.link.clock.now_us() - SETTLED_US:
                key = self._indexes.outbox
                self._rooms.link.call("ZREM", key, mark.member, key=key).add_done_callback(_ignore)
            return None
        run = reading.put_together().run
        if mark.bit == ENDED and not reading.run.whole:
            # Its end may yet be lost. It goes behind the others, which must not wait for as many as a look is for.
            words = (mark.member, mark.marked_us, self._rooms.link.clock.now_us())
            self._rooms.link.run(SETTLE, (self._indexes.outbox,), words).add_done_callback(_ignore)
            return None
        return LifecycleNews(mark.place.tenant, run, RUN_STATE_RUNNING if mark.bit == STARTED else run.state)

    def _clear(self, run_id: str, bit: int, step: Step) -> None:
        run = step.run(run_id)
        if run is None:
            return
        if run.head.outbox & bit:
            run = step.edit(run)
            run.head.outbox &= ~bit
            step.write_head(run)
        place = Place(run.head.tenant, run_id, run.head.session_id)
        step.cleanup.append(self._indexes.published(place, bit))


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
