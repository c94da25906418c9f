"""Token buckets on Redis; see `penstock.state.token_bucket` for how they are reckoned.

The buckets of a tenant lie in one slot, so that one step takes from several. Each is a hash of what it misses (m) and
since when (t), and goes when it is full.
"""

from typing import Final

from google.protobuf.duration_pb2 import Duration

from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Script
from penstock.state.token_bucket import LONGEST_WAIT_US
from penstock.v1.limit_pb2 import TakeRequest, TakeResponse

# In: rate, burst and amount of each bucket. Out: the number of the bucket that denies (0: granted), and the time in
# microseconds after which it won't; '' for never. Numbers are doubles here as in Python, and written with all digits.
_TAKE: Final = Script(
    f"#!lua\nlocal LONGEST_WAIT_US = {LONGEST_WAIT_US}"
    + """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function missing_now(missing, elapsed, rate) return math.max(0, missing - rate * elapsed / 1e6) end
local function grants(missing, elapsed, rate, burst, amount)
  return missing_now(missing, elapsed, rate) + amount <= burst
end
local longest, which = -1, 0
local found = {}
for number, key in ipairs(KEYS) do
  local rate, burst, amount = tonumber(ARGV[3 * number - 2]), tonumber(ARGV[3 * number - 1]), tonumber(ARGV[3 * number])
  local bucket = redis.call('HMGET', key, 'm', 't')
  local missing, at = tonumber(bucket[1] or '0'), tonumber(bucket[2] or now)
  if at > now then
    -- Another server's clock was ahead of this one's: the bucket fills from now on, not from then.
    redis.call('HSET', key, 't', string.format('%.0f', now))
    at = now
  end
  found[number] = {missing, at, rate, amount}
  if amount > burst then return {number, ''} end
  if not grants(missing, now - at, rate, burst, amount) then
    local wait = (missing + amount - burst) / rate * 1e6
    if wait > LONGEST_WAIT_US then
      wait = LONGEST_WAIT_US
    else
      wait = math.ceil(wait)
      while not grants(missing, wait, rate, burst, amount) do wait = wait + 1 end
      wait = math.max(0, wait - (now - at))
    end
    if wait > longest then longest, which = wait, number end
  end
end
if which > 0 then return {which, string.format('%.0f', longest)} end
for number, key in ipairs(KEYS) do
  local missing, at, rate, amount = unpack(found[number])
  local left = missing_now(missing, now - at, rate) + amount
  redis.call('HSET', key, 'm', string.format('%.17g', left), 't', string.format('%.0f', now))
  redis.call('PEXPIREAT', key, string.format('%.0f', math.ceil((now + math.ceil(left / rate * 1e6)) / 1000)))
end
return {0, ''}
"""
)


async def take(link: Link, request: TakeRequest) -> TakeResponse:
    """Takes tokens of all the buckets, or changes nothing; see LimitStore."""
    tag = link.keys.tag("l", request.tenant)
    keys = [tag.key("bucket", limit.name) for limit in request.limits]
    arguments = [repr(number) for limit in request.limits for number in (limit.rate, limit.burst, limit.amount)]
    denies, wait = (await link.run(_TAKE, keys, arguments)).value
    if not denies:
        return TakeResponse(granted=True)
    retry_after = None
    if wait:
        retry_after = Duration()
        retry_after.FromMicroseconds(int(wait))
    return TakeResponse(granted=False, retry_after=retry_after, limit_name=request.limits[denies - 1].name)
