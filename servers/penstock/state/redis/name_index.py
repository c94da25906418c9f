"""Lists of what a tenant has of one kind, by name.

A tenant's names lie in one slot: all of them in the order of their bytes, and those that are to be looked at from a
time on. A name is listed before what it names is made, and taken out a minute or more after nothing was found there,
unless it was listed anew meanwhile: so whatever there is is listed, and names of nothing do not stay.

In a Cluster a name and what it names may lie on two servers, and a failover may lose the name alone. So each process
remembers what it has listed of late, for longer than a replica is behind, and lists it again when a server may have
changed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Reply, Script
from penstock.wire.errors import PenstockError

Look = Callable[[str, bytes], Awaitable[int | None]]
"""Looks at what a tenant's name stands for: None for nothing, else the time of the next look, 0 for none."""

_REMEMBERED_S: Final = 10.0
_MOST_REMEMBERED: Final = 10_000
_TENANTS_AT_ONCE: Final = 100
_NAMES_AT_ONCE: Final = 200
LOOK_AFTER_US: Final = 60_000_000
"""Time after which a name that was listed is looked at: much longer than making what it names can take."""

_LIST: Final = Script("""#!lua
redis.call('ZADD', KEYS[1], 0, ARGV[1])
local clock = redis.call('TIME')
redis.call('ZADD', KEYS[2], clock[1] * 1000000 + clock[2] + tonumber(ARGV[2]), ARGV[1])
""")

# In: the time from which on the name is to be looked at; '' for a minute from now, unless it is noted already. Where
# the time noted has come, somebody may be looking just now at what it was before, and must look again.
_NOTE: Final = Script("""#!lua flags=allow-oom
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return end
if ARGV[2] == '' then
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  local due = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if not due then
    redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
  elseif tonumber(due) <= now then
    redis.call('ZADD', KEYS[2], now, ARGV[1])
  end
else
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
end
""")

_DUE: Final = Script(
    """#!lua flags=no-writes
local clock = redis.call('TIME')
local now = string.format('%.0f', clock[1] * 1000000 + clock[2])
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
""",
    read_only=True,
)

# In: the name, the time for which it was noted, and that of the next look; '-': nothing is there, '0': none.
_LOOKED: Final = Script("""#!lua flags=allow-oom
if redis.call('ZSCORE', KEYS[2], ARGV[1]) ~= ARGV[2] then return end
if ARGV[3] == '-' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
elseif ARGV[3] == '0' then
  redis.call('ZREM', KEYS[2], ARGV[1])
else
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
end
""")


class NameIndex:
    """Lists names of one kind, and takes out those that stand for nothing any more."""

    def __init__(self, link: Link, kind: str) -> None:
        self._link = link
        self._kind = kind
        self._tenants = link.keys.index("tenants", kind)
        self._known: set[str] = set()
        self._swept_to = b""
        self._late: deque[tuple[float, str, bytes]] = deque(maxlen=_MOST_REMEMBERED)
        self._renewed_at: float | None = None
        self._loop = asyncio.get_running_loop()
        link.on_renewed(self._renewed)

    async def list(self, tenant: str, name: bytes) -> None:
        """Lists a name, for what it names to be made at once."""
        if tenant not in self._known:
            # Never taken out again, so that knowing it once is enough.
            await self._link.call("ZADD", self._tenants, 0, tenant, key=self._tenants)
            self._known.add(tenant)
        self._late.append((self._loop.time(), tenant, name))
        await self._link.run(_LIST, self._keys(tenant), (name, LOOK_AFTER_US))

    async def tenants(self, after: bytes, limit: int) -> Sequence[bytes]:
        """Returns tenants that have or had some, in the order of their bytes."""
        begin = b"(" + after if after else b"-"
        found: Sequence[bytes] = await self._link.call(
            "ZRANGEBYLEX", self._tenants, begin, "+", "LIMIT", 0, limit, key=self._tenants, read_only=True
        )
        return found

    async def names(self, tenant: str, prefix: bytes, after: bytes, limit: int) -> Sequence[bytes]:
        """Returns names with a prefix behind another, in the order of their bytes, also some that stand for nothing."""
        begin = b"(" + after if after and after >= prefix else b"[" + prefix if prefix else b"-"
        # Names are UTF-8, in which no byte is 0xff, so the last byte of a prefix can always be raised by one.
        end = b"(" + prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b"+"
        key, _ = self._keys(tenant)
        found: Sequence[bytes] = await self._link.call(
            "ZRANGEBYLEX", key, begin, end, "LIMIT", 0, limit, key=key, read_only=True
        )
        return found

    def note(self, tenant: str, name: bytes, time_us: int | None) -> None:
        """Has a name looked at from a time on, or (None) in a minute; what is not noted a reader will find."""
        noted = self._link.run(
            _NOTE, self._keys(tenant), (name, "" if time_us is None else time_us + LOOK_AFTER_US, LOOK_AFTER_US)
        )
        noted.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def sweep(self, look: Look) -> bool:
        """Looks at a bounded number of names whose time has come; True: there are more.

        Where that fails, it raises when it has looked at the others.
        """
        failures: list[BaseException] = []
        try:
            await self._list_again()
        except PenstockError as error:
            failures.append(error)  # a server that is full takes no names; what goes, makes room
        tenants = await self.tenants(self._swept_to, _TENANTS_AT_ONCE)
        self._swept_to = tenants[-1] if len(tenants) == _TENANTS_AT_ONCE else b""
        dues = await asyncio.gather(
            *(self._link.run(_DUE, (self._keys(tenant.decode())[1],), (_NAMES_AT_ONCE,)) for tenant in tenants),
            return_exceptions=True,
        )
        for tenant, due in zip(tenants, dues, strict=True):
            if isinstance(due, BaseException):
                failures.append(due)
            elif due.value:
                failures += await self._look(tenant.decode(), due.value, look)
        if failures:
            raise failures[0]
        return bool(self._swept_to) or any(len(due.value) == 2 * _NAMES_AT_ONCE for due in cast("list[Reply]", dues))

    def _renewed(self) -> None:
        self._known.clear()
        self._renewed_at = self._loop.time()

    async def _list_again(self) -> None:
        """Lists what was listed shortly before a server may have changed."""
        renewed_at, self._renewed_at = self._renewed_at, None
        if renewed_at is None:
            return
        late = [(tenant, name) for at, tenant, name in self._late if renewed_at - at < _REMEMBERED_S]
        self._late.clear()
        try:
            for begin in range(0, len(late), _NAMES_AT_ONCE):
                await asyncio.gather(*(self.list(*one) for one in late[begin : begin + _NAMES_AT_ONCE]))
        except PenstockError:
            self._late.extend((renewed_at, *one) for one in late)
            self._renewed_at = self._renewed_at or renewed_at
            raise

    async def _look(self, tenant: str, due: Sequence[bytes], look: Look) -> Sequence[BaseException]:
        """Looks at names of one tenant; returns what went wrong with some."""
        names, noted = due[::2], due[1::2]
        found = await asyncio.gather(*(look(tenant, name) for name in names), return_exceptions=True)
        looked = await asyncio.gather(
            *(
                self._link.run(_LOOKED, self._keys(tenant), (name, time, "-" if following is None else following))
                for name, time, following in zip(names, noted, found, strict=True)
                if not isinstance(following, BaseException)
            ),
            return_exceptions=True,
        )
        return [outcome for outcome in (*found, *looked) if isinstance(outcome, BaseException)]

    def _keys(self, tenant: str) -> tuple[bytes, bytes]:
        tag = self._link.keys.tag("i", self._kind, tenant)
        return tag.key("names"), tag.key("due")
