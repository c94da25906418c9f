"""Budgets on Redis, and what is reserved of them.

A budget has a slot of its own with three keys: its windows by their length (start, size, used and held units), its
reservations by their ids (window, start, size, amount, state), and the times at which these pass. All go with the last
thing that they tell. Of many that have passed each call forgets some, and all before it denies anything.

Whole numbers of up to 2^53 are exact in Lua's doubles, and used units are counted no further.
"""

from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Script
from penstock.v1.limit_pb2 import (
    ReleaseRequest,
    ReleaseResponse,
    ReserveRequest,
    ReserveResponse,
    SettleRequest,
    SettleResponse,
)

_WORDS: Final = """#!lua
local windows, reservations, passing = KEYS[1], KEYS[2], KEYS[3]
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function text(number) return string.format('%.0f', number) end
local function numbers(line)
  local found = {}
  for word in string.gmatch(line, '%S+') do found[#found + 1] = tonumber(word) end
  return unpack(found)
end
-- All three together: a reservation that went by itself could not be given back.
local function keep(until_us)
  local ms = math.ceil(until_us / 1000)
  for _, key in ipairs(KEYS) do
    if redis.call('PEXPIRETIME', key) < ms then redis.call('PEXPIREAT', key, text(ms)) end
  end
end
local function write_window(length, start, size, used, held)
  redis.call('HSET', windows, text(length), table.concat({text(start), text(size), text(used), text(held)}, ' '))
  keep(start + length)
end
local function give_back(length, start, amount)
  local line = redis.call('HGET', windows, text(length))
  if not line then return end
  local begun, size, used, held = numbers(line)
  if begun == start then write_window(length, start, size, used, held - amount) end
end
local function forget(ids)
  local given, windows_of = {}, {}
  for _, line in ipairs(redis.call('HMGET', reservations, unpack(ids))) do
    local length, start, amount = string.match(line, '^(%S+) (%S+) %S+ (%S+) 1$')
    if length then
      local name = length .. ' ' .. start
      given[name] = (given[name] or 0) + tonumber(amount)
      windows_of[name] = {tonumber(length), tonumber(start)}
    end
  end
  for name, amount in pairs(given) do give_back(windows_of[name][1], windows_of[name][2], amount) end
  redis.call('HDEL', reservations, unpack(ids))
  redis.call('ZREM', passing, unpack(ids))
end
-- A bounded number at a time, because everybody on the server waits meanwhile. Tells whether there may be more.
local function forget_passed()
  local passed = redis.call('ZRANGEBYSCORE', passing, '-inf', text(now), 'LIMIT', 0, 1000)
  if #passed > 0 then forget(passed) end
  return #passed == 1000
end
local function window(length, size)
  local start = now - math.fmod(now, length)
  local line = redis.call('HGET', windows, text(length))
  if not line then return start, size, 0, 0 end
  local begun, old_size, used, held = numbers(line)
  if begun < start then return start, old_size, 0, 0 end
  return begun, old_size, used, held
end
local function write_reservation(id, length, start, size, amount, state, until_us)
  local line = table.concat({text(length), text(start), text(size), text(amount), text(state)}, ' ')
  redis.call('HSET', reservations, id, line)
  redis.call('ZADD', passing, text(until_us), id)
  keep(until_us)
end
local function finish(id, length, start, size, amount, state)
  local ends = math.max(tonumber(redis.call('ZSCORE', passing, id)), now + 60000000)
  write_reservation(id, length, start, size, amount, state, ends)
end
local function left(size, used, held) return text(math.max(0, size - used - held)) end
local id = ARGV[1]
if tonumber(redis.call('ZSCORE', passing, id) or now + 1) <= now then forget({id}) end
local more = forget_passed()
local line = redis.call('HGET', reservations, id)
"""

# In: reservation, amount, limit, length of the window, ttl. Out: granted, remaining, time to the window's end or ''.
_RESERVE: Final = Script(
    _WORDS
    + """
local amount, limit, length, ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local start, _, used, held = window(length, limit)
if line then return {1, left(limit, used, held), ''} end
if amount > limit then return {0, left(limit, used, held), ''} end
while amount > limit - used - held and more do
  more = forget_passed()
  start, _, used, held = window(length, limit)
end
if amount > limit - used - held then return {0, left(limit, used, held), text(start + length - now)} end
write_reservation(id, length, start, limit, amount, 1, now + ttl)
write_window(length, start, limit, used, held + amount)
return {1, left(limit, used, held + amount), ''}
"""
)

# In: reservation, amount. Out: applied, remaining.
_SETTLE: Final = Script(
    _WORDS
    + """
if not line then return {0, '0'} end
local length, begun, first_size, reserved, state = numbers(line)
local start, size, used, held = window(length, first_size)
if state ~= 1 then return {state == 2 and 1 or 0, left(size, used, held)} end
finish(id, length, begun, first_size, reserved, 2)
if begun == start then
  used, held = math.min(used + tonumber(ARGV[2]), 2 ^ 53), held - reserved
  write_window(length, start, size, used, held)
end
return {1, left(size, used, held)}
"""
)

# In: reservation. Out: applied.
_RELEASE: Final = Script(
    _WORDS
    + """
if not line then return 0 end
local length, begun, size, reserved, state = numbers(line)
if state ~= 1 then return state == 3 and 1 or 0 end
finish(id, length, begun, size, reserved, 3)
give_back(length, begun, reserved)
return 1
"""
)


async def reserve(link: Link, request: ReserveRequest) -> ReserveResponse:
    """Sets units aside; see LimitStore."""
    granted, remaining, wait = await _run(
        link,
        _RESERVE,
        request,
        request.amount,
        request.limit,
        request.window.ToMicroseconds(),
        request.ttl.ToMicroseconds(),
    )
    retry_after = None
    if wait:
        retry_after = Duration()
        retry_after.FromMicroseconds(int(wait))
    return ReserveResponse(granted=bool(granted), remaining=int(remaining), retry_after=retry_after)


async def settle(link: Link, request: SettleRequest) -> SettleResponse:
    """Turns a held reservation into used units; see LimitStore."""
    applied, remaining = await _run(link, _SETTLE, request, request.amount)
    return SettleResponse(applied=bool(applied), remaining=int(remaining))


async def release(link: Link, request: ReleaseRequest) -> ReleaseResponse:
    """Gives a held reservation back; see LimitStore."""
    return ReleaseResponse(applied=bool(await _run(link, _RELEASE, request)))


async def _run(
    link: Link, script: Script, request: ReserveRequest | SettleRequest | ReleaseRequest, *arguments: int
) -> Any:
    tag = link.keys.tag("b", request.tenant, request.budget)
    keys = [tag.key(kind) for kind in ("windows", "reservations", "passing")]
    return (await link.run(script, keys, (request.reservation_id, *arguments))).value
