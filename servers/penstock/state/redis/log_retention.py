"""What goes with time, and when there is too much: the events of runs that have ended, in the order of their ends."""

import asyncio
from functools import partial
from typing import Final

from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import SETTLED_US, Place, RunIndexes
from penstock.state.redis.scripts import Script
from penstock.state.redis.trimming import Trimmed, trim
from penstock.state.settings import StateSettings

# Of one piece.
_AT_ONCE: Final = 20
_COUNTED_AT_ONCE: Final = 500

# KEYS: logs to be trimmed, those that are counted, bytes of these. ARGV: most to be counted now.
# Answers how many were.
_COUNT: Final = Script(
    """#!lua flags=allow-oom
local taken = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
for place = 1, #taken, 2 do
  if redis.call('ZADD', KEYS[2], taken[place + 1], taken[place]) == 1 then
    redis.call('INCRBY', KEYS[3], string.match(taken[place], '%d+$'))
  end
end
return #taken / 2
"""
)

# KEYS: as above. ARGV: how many. Answers the bytes of all that are counted, and the first ones with their times.
_FIRST: Final = Script(
    """#!lua flags=no-writes
return {redis.call('GET', KEYS[3]) or '0', redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'WITHSCORES')}
""",
    read_only=True,
)

# KEYS: as above. ARGV: by twos a log and its time as seen. Those go, unless another run is there by that name since.
_FORGET: Final = Script(
    """#!lua flags=allow-oom
for place = 1, #ARGV, 2 do
  if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[place]) or -1) == tonumber(ARGV[place + 1]) then
    redis.call('ZREM', KEYS[2], ARGV[place])
    redis.call('DECRBY', KEYS[3], string.match(ARGV[place], '%d+$'))
  end
end
return 1
"""
)


class LogRetention:
    """Trims logs by age and by size together: a bounded piece each time."""

    def __init__(self, rooms: Rooms, indexes: RunIndexes, settings: StateSettings) -> None:
        self._rooms = rooms
        self._keys = (indexes.to_trim, indexes.counted, indexes.counted_bytes)
        self._retention_us = round(settings.log_retention * 1e6)
        self._most_bytes = settings.max_finished_log_bytes

    async def sweep(self) -> bool:
        """Does a piece; True: there is more to do now."""
        link = self._rooms.link
        counted = await link.run(_COUNT, self._keys, (_COUNTED_AT_ONCE,))
        counting = bool(counted.value == _COUNTED_AT_ONCE)
        if not (self._retention_us or self._most_bytes):
            return counting
        total, flat = (await link.run(_FIRST, self._keys, (_AT_ONCE,))).value
        now_us = link.clock.now_us()
        due: list[tuple[bytes, int]] = []
        size = int(total)
        for member, score in zip(flat[::2], flat[1::2], strict=True):
            by_age = self._retention_us and float(score) <= now_us - self._retention_us
            if not by_age and not 0 < self._most_bytes < size:
                break
            due.append((member, int(float(score))))
            size -= int(member.rpartition(b"\0")[2])
        went = await asyncio.gather(*(self._trim(member) for member, _ in due), return_exceptions=True)
        done: list[bytes | int] = []
        failures: list[BaseException] = []
        for (member, ended_us), trimmed in zip(due, went, strict=True):
            if isinstance(trimmed, BaseException):
                failures.append(trimmed)  # told when the others are done with
            settled = ended_us < now_us - SETTLED_US  # else its end may be about to be committed
            if trimmed is Trimmed.WHOLLY or (trimmed is Trimmed.NO_SUCH and settled):
                done += (member, ended_us)
        if done:
            await link.run(_FORGET, self._keys, done)
        if failures:
            raise failures[0]
        return counting or Trimmed.PARTLY in went or (bool(done) and len(due) == _AT_ONCE)

    async def forget(self, log: str, ended_us: int) -> None:
        """Takes note that a run, and its log with it, is no more."""
        await self._rooms.link.run(_COUNT, self._keys, (_COUNTED_AT_ONCE,))
        await self._rooms.link.run(_FORGET, self._keys, (log, ended_us))

    async def _trim(self, member: bytes) -> Trimmed:
        place = Place.unpack(member)
        trimmed, first = await self._rooms.at(place).submit(partial(trim, place.run_id))
        if trimmed in (Trimmed.WHOLLY, Trimmed.PARTLY):
            self._rooms.followers.cut(place.tenant, place.run_id, first)
        return trimmed
