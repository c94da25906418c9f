"""Leases: which instances are alive, on the server's clock.

Leases hold on while no state process could serve: each process says several times a second that it serves. Whoever
finds that nobody has said so for a while has every lease that was not given back hold for its full length from then on;
so does the first process that opens the store. So it is too when the server's clock turns out to have been set back, as
it may be when a replica takes over: else leases would hold on for as much longer.
"""

import asyncio
import secrets
from contextlib import suppress
from typing import Any, Final, NamedTuple

from penstock.state.redis.faults import RedisRefused
from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Script
from penstock.wire.errors import PenstockError

_BEAT_S: Final = 0.25
# Without a word for so long nobody served.
_AWAY_US: Final = 1_000_000
_LONGEST_US: Final = 300_000_000

# KEYS: leases by instance, processes by the time of their last word. Prolongs leases where nobody has served, or where
# the last word is of a time to come.
_PRELUDE: Final = f"""#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function number(value)
  return string.format('%.0f', value)
end
local function prolong()
  local leases = redis.call('HGETALL', KEYS[1])
  for place = 1, #leases, 2 do
    local expire, ttl = string.match(leases[place + 1], '^(%d+) (%d+)$')
    if tonumber(ttl) > 0 or tonumber(expire) > now then
      redis.call('HSET', KEYS[1], leases[place], number(now + tonumber(ttl)) .. ' ' .. ttl)
    end
  end
end
local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
if not newest[1] or math.abs(tonumber(newest[2]) - now) > {_AWAY_US} then
  prolong()
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. number(now), '+inf')
end
"""

# ARGV: the process.
_BEAT: Final = Script(
    _PRELUDE
    + f"""redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', number(now - 60 * {_AWAY_US}))
redis.call('ZADD', KEYS[2], number(now), ARGV[1])
return 1
"""
)

# ARGV: the process, the instance, length in microseconds. Answers now, and when the lease would have lapsed, or ''.
_RENEW: Final = Script(
    _PRELUDE
    + """redis.call('ZADD', KEYS[2], number(now), ARGV[1])
local lease = redis.call('HGET', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[1], ARGV[2], number(now + tonumber(ARGV[3])) .. ' ' .. ARGV[3])
return {number(now), lease and string.match(lease, '^%d+') or ''}
"""
)

# ARGV: the process. Answers now, and all leases.
_LOOK: Final = Script(
    _PRELUDE
    + """redis.call('ZADD', KEYS[2], number(now), ARGV[1])
return {number(now), redis.call('HGETALL', KEYS[1])}
"""
)

# ARGV: the instance. Answers 1 while it holds a lease.
_HELD: Final = Script(
    _PRELUDE
    + """local lease = redis.call('HGET', KEYS[1], ARGV[1])
return lease and tonumber(string.match(lease, '^%d+')) > now and 1 or 0
"""
)

# ARGV: an instance, when its lease lapsed.
_FORGET: Final = Script(
    """#!lua flags=allow-oom
local lease = redis.call('HGET', KEYS[1], ARGV[1])
if lease and string.match(lease, '^%d+') == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
"""
)


class Renewal(NamedTuple):
    """Represents a renewed lease: the time, and when the lease would have lapsed; 0: it is new."""

    now_us: int
    before_us: int


class LeaseLook(NamedTuple):
    """Represents what a claiming instance finds.

    `held` tells whether its own lease holds, `lapsed` has those that hold no more, `next_us` when the next one lapses,
    0: none.
    """

    now_us: int
    held: bool
    lapsed: dict[str, int]
    next_us: int


class Leases:
    """Keeps leases, for all state processes together."""

    def __init__(self, link: Link) -> None:
        tag = link.keys.tag("leases")
        self._link = link
        self._keys = (tag.key("leases"), tag.key("serving"))
        self._process = secrets.token_hex(8)

    async def serve(self) -> None:
        """Says for ever that this process serves."""
        while True:
            # Whoever comes first when the server is there again finds that nobody has served.
            with suppress(PenstockError, RedisRefused):
                await self._link.run(_BEAT, self._keys, (self._process,))
            await asyncio.sleep(_BEAT_S)

    async def open(self) -> None:
        """Says that this process begins to serve."""
        await self._link.run(_BEAT, self._keys, (self._process,))

    async def close(self) -> None:
        """Says that this process serves no more."""
        with suppress(PenstockError, RedisRefused):  # it will show by the silence
            await self._link.call("ZREM", self._keys[1], self._process, key=self._keys[1])

    async def renew(self, instance_id: str, ttl_us: int) -> Renewal:
        """Has a lease lapse in `ttl_us`; 0 gives it back."""
        reply = await self._link.run(_RENEW, self._keys, (self._process, instance_id, ttl_us))
        now, before = reply.value
        return Renewal(int(now), int(before or 0))

    async def held(self, instance_id: str) -> bool:
        """Tells whether an instance holds a lease."""
        reply = await self._link.run(_HELD, self._keys, (instance_id,))
        return bool(reply.value)

    async def look(self, instance_id: str) -> LeaseLook:
        """Looks at all leases, for an instance that claims."""
        reply = await self._link.run(_LOOK, self._keys, (self._process,))
        now, flat = reply.value
        now_us = int(now)
        expiries = {name.decode(): int(packed.split()[0]) for name, packed in zip(flat[::2], flat[1::2], strict=True)}
        return LeaseLook(
            now_us=now_us,
            held=expiries.get(instance_id, 0) > now_us,
            lapsed={name: expire_us for name, expire_us in expiries.items() if expire_us <= now_us},
            next_us=min((expire_us for expire_us in expiries.values() if expire_us > now_us), default=0),
        )

    async def instances(self) -> list[str]:
        """Returns the instances of which a lease is known, whether it holds or has lapsed."""
        names = await self._link.call("HKEYS", self._keys[0], key=self._keys[0], read_only=True)
        return [name.decode() for name in names]

    async def presume(self, instance_id: str) -> None:
        """Has an instance of which no lease is known hold one for as long as any may be, unless it says otherwise.

        Its lease was lost with a server; if it lives it renews it, and if not its runs come free at last.
        """
        key = self._keys[0]
        if await self._link.call("HGET", key, instance_id, key=key, read_only=True) is not None:
            return  # as nearly always; a server that is full would refuse to look by writing
        lease = f"{self._link.clock.now_us() + _LONGEST_US} {_LONGEST_US}"
        await self._link.call("HSETNX", key, instance_id, lease, key=key)

    def forget(self, instance_id: str, lapsed_us: int) -> None:
        """Forgets a lease that lapsed then, unless it was renewed."""
        self._link.run(_FORGET, self._keys, (instance_id, lapsed_us)).add_done_callback(_ignore)


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
