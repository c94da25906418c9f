"""Where a run of a session is: told by the room that it would have by itself, from before it is recorded on.

A pointer is taken away only when nobody has pointed for `GRACE_US`, after which the run was not there: so whoever
records a run less than that after having pointed need not look whether the pointer still stands.
"""

from typing import Final, NamedTuple

from penstock.state.redis.keys import Tag
from penstock.state.redis.link import Link
from penstock.state.redis.room_keys import room_key
from penstock.state.redis.scripts import Script

GRACE_US: Final = 60_000_000
"""How long a pointer stands at least, in microseconds: twice as long as any recording takes that trusts in it."""

TRUSTED_S: Final = GRACE_US / 2_000_000
"""Seconds after having pointed for which whoever records a run need not point again."""

# KEYS: the run's own room. ARGV: the session, the room's names, the time, the run's id.
# Answers 1 when the run belongs to that session, by this call or an earlier one. The version tells the time of that.
_POINT: Final = Script(
    """#!lua
local at = redis.call('HMGET', KEYS[1], 'v', 'p')
if at[2] then
  if at[2] ~= ARGV[1] then return 0 end
elseif at[1] then
  return 0
end
local version = string.format('%.0f', math.max(tonumber(ARGV[3]), (tonumber(at[1]) or 0) + 1))
redis.call('HSET', KEYS[1], 'p', ARGV[1], 't', ARGV[2], 'r', ARGV[4], 'v', version)
return 1
"""
)

# KEYS: the run's own room. ARGV: its version, as seen before it was seen that the run is not where this points.
_UNPOINT: Final = Script(
    """#!lua flags=allow-oom
local at = redis.call('HMGET', KEYS[1], 'v', 'p')
if at[1] == ARGV[1] and at[2] then
  redis.call('DEL', KEYS[1])
end
return 1
"""
)


class Pointed(NamedTuple):
    """Represents what came of pointing: whether the run belongs to the session, and whether the replicas know."""

    here: bool
    replicated: bool


async def point(link: Link, tenant: str, run_id: str, session_id: str, *, replicate: bool) -> Pointed:
    """Notes that a run belongs to a session, unless it is there and does not."""
    key = room_key(link.keys.run_room(tenant, run_id))
    arguments = (session_id, f"{tenant}\0", link.clock.now_us(), run_id)
    reply = await link.run(_POINT, (key,), arguments, wait_replicas=replicate)
    return Pointed(reply.value == 1, reply.replicated or not replicate)


async def pointed_us(link: Link, own: Tag) -> int:
    """Returns when somebody last pointed from the room that a run would have by itself; 0: nothing points from there.

    What is returned is for `unpoint`.
    """
    key = room_key(own)
    version, pointer = await link.call("HMGET", key, "v", "p", key=key, read_only=True)
    return 0 if pointer is None else int(version)


async def unpoint(link: Link, own: Tag, version: int) -> None:
    """Takes a pointer away that has stood for long enough, unless somebody has pointed since it had this version.

    Only for who has seen, after it had that version, that the run is not where it points.
    """
    await link.run(_UNPOINT, (room_key(own),), (version,))
