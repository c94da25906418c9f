"""What is removed with time: runs that ended long ago."""

import asyncio
from functools import partial
from typing import Final

from penstock.state.redis.entry_settling import SETTLE
from penstock.state.redis.log_retention import LogRetention
from penstock.state.redis.removal import Removed, remove
from penstock.state.redis.room_pointer import GRACE_US, pointed_us, unpoint
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import SETTLED_US, Place, RunIndexes
from penstock.state.settings import StateSettings

# Of one piece: each is an operation on a room.
_AT_ONCE: Final = 50


class RunRetention:
    """Removes runs: a bounded piece each time."""

    def __init__(self, rooms: Rooms, indexes: RunIndexes, logs: LogRetention, settings: StateSettings) -> None:
        self._rooms = rooms
        self._indexes = indexes
        self._logs = logs
        self._retention_us = round(settings.run_retention * 1e6)

    async def sweep(self) -> bool:
        """Does a piece; True: there is more to do now."""
        if not self._retention_us:
            return False
        link, key = self._rooms.link, self._indexes.to_remove
        now_us = link.clock.now_us()
        words = ("ZRANGEBYSCORE", key, "-inf", now_us - self._retention_us, "WITHSCORES", "LIMIT", 0, _AT_ONCE)
        flat = await link.call(*words, key=key, read_only=True)
        settled = await asyncio.gather(
            *(self._look_at(member, score, now_us) for member, score in zip(flat[::2], flat[1::2], strict=True))
        )
        return any(settled) and len(settled) == _AT_ONCE

    async def _look_at(self, member: bytes, score: bytes, now_us: int) -> bool:
        """Removes one run if its time has come; True: it need not be looked at again at once."""
        place = Place.unpack(member)
        link, own = self._rooms.link, self._rooms.link.keys.run_room(place.tenant, place.run_id)
        # Before it is seen that the run is not there: whoever records it anew points there first.
        pointed = await pointed_us(link, own) if place.session_id else 0
        until_us = now_us - self._retention_us
        operation = partial(remove, place.run_id, self._indexes, until_us)
        removed: Removed = await self._rooms.at(place).submit(operation)
        if not removed.ended_us and float(score) > now_us - SETTLED_US:
            return False  # its end, or all of it, may be about to be committed
        following = 0
        if not removed.gone:
            following = removed.ended_us
        else:
            self._rooms.followers.cut(place.tenant, place.run_id, 0)
            if removed.log:
                await self._logs.forget(removed.log, removed.ended_us)
            if pointed > now_us - GRACE_US:
                following = pointed + GRACE_US - self._retention_us  # when its pointer may go
            elif pointed:
                await unpoint(link, own, pointed)
                # Who came by its name meanwhile has looked up where it was.
                self._rooms.followers.cut(place.tenant, place.run_id, 0)
        await link.run(SETTLE, (self._indexes.to_remove,), (member, score, following or ""))
        return True
