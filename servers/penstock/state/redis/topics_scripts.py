"""What is done to a topic in one step: publish, and what retention takes.

All of a topic lies in one slot. `topic` is a hash: the first position kept (first), the one to be given next (next),
when its oldest event came (oldest), and when it was last used (used). `events` is a stream with an entry `POSITION-0`
for each event: its body (b), when it came (t), and why it is a dead letter (r). `ids` has the events' names by
position, and `groups` those of the groups. Times are microseconds of the server's clock.
"""

from typing import Final

from penstock.state.redis.scripts import Script

NOW: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function text(number) return string.format('%.0f', number) end
"""

_TRIM: Final = """
local function trim(until_position)
  redis.call('XTRIM', KEYS[2], 'MINID', text(until_position) .. '-0')
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. text(until_position))
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  redis.call('HSET', KEYS[1], 'first', text(until_position))
  if oldest then redis.call('HSET', KEYS[1], 'oldest', oldest[2][4]) else redis.call('HDEL', KEYS[1], 'oldest') end
end
local function trim_old(age, most)
  local oldest = tonumber(redis.call('HGET', KEYS[1], 'oldest') or now)
  if age == 0 or now - oldest < age then return 0 end
  local first = tonumber(redis.call('HGET', KEYS[1], 'first'))
  local position, looked, size = first, 0, 0
  while looked < most and size < 8000000 do
    -- A few at a time and not too much in all, because their bodies come along.
    local entries = redis.call('XRANGE', KEYS[2], text(position), '+', 'COUNT', 10)
    for _, entry in ipairs(entries) do
      if now - tonumber(entry[2][4]) < age then
        trim(position)
        return 0
      end
      position = tonumber(string.match(entry[1], '^%d+')) + 1
      looked = looked + 1
      size = size + #entry[2][2]
    end
    if #entries < 10 then break end
  end
  trim(position)
  return (looked >= most or size >= 8000000) and 1 or 0
end
"""

# Keys: topic, events, ids. In: whether a topic that is not there is made ('0': it must be there, '1': it was listed,
# '': it must be listed first), most events kept and their age, and for each event its name, body and reason.
# Out: 'gone', 'list', or the positions, after whether any is new.
PUBLISH: Final = Script(
    "#!lua\n"
    + NOW
    + _TRIM
    + """
local bounds = redis.call('HMGET', KEYS[1], 'first', 'next')
if not bounds[1] then
  if ARGV[1] == '0' then return {'gone'} end
  if ARGV[1] == '' then return {'list'} end
  bounds = {1, 1}
elseif trim_old(tonumber(ARGV[3]), 100) >= 0 then
  bounds = redis.call('HMGET', KEYS[1], 'first', 'next')
end
local first, following = tonumber(bounds[1]), tonumber(bounds[2])
local begun, positions = following, {'0'}
for at = 4, #ARGV, 3 do
  local position = redis.call('ZSCORE', KEYS[3], ARGV[at])
  if not position then
    position = text(following)
    redis.call('XADD', KEYS[2], position .. '-0', 'b', ARGV[at + 1], 't', text(now), 'r', ARGV[at + 2])
    redis.call('ZADD', KEYS[3], position, ARGV[at])
    following = following + 1
  end
  positions[#positions + 1] = position
end
if following > begun then
  positions[1] = '1'
  redis.call('HSET', KEYS[1], 'first', text(first), 'next', text(following), 'used', text(now))
  redis.call('HSETNX', KEYS[1], 'oldest', text(now))
  local most = tonumber(ARGV[2])
  if following - first > most then
    -- A limit that was lowered far is reached by and by.
    trim(math.min(following - most, first + math.floor(#ARGV / 3) + 1000))
  end
end
return positions
"""
)

# Keys: topic, events, ids. In: age in microseconds from which on events are dropped. Out: whether there may be more.
TRIM_OLD: Final = Script("#!lua flags=allow-oom\n" + NOW + _TRIM + "return trim_old(tonumber(ARGV[1]), 1000)")

# Keys: topic, events, groups. Out: whether it is there, the time, microseconds since it was used, those since its
# oldest event came ('': it has none), and its groups.
LOOK: Final = Script(
    "#!lua flags=no-writes\n"
    + NOW
    + """
local topic = redis.call('HMGET', KEYS[1], 'first', 'used', 'oldest')
return {
  topic[1] and 1 or 0, text(now), text(now - tonumber(topic[2] or now)),
  topic[3] and text(now - tonumber(topic[3])) or '',
  redis.call('SMEMBERS', KEYS[3])
}
""",
    read_only=True,
)

# Keys: topic, events, ids, groups. In: for how long it must be unused, and whether it may have events.
FORGET: Final = Script(
    "#!lua flags=allow-oom\n"
    + NOW
    + """
local used = tonumber(redis.call('HGET', KEYS[1], 'used') or '0')
if now - used < tonumber(ARGV[1]) or redis.call('SCARD', KEYS[4]) > 0 then return 0 end
if ARGV[2] == '0' and redis.call('XLEN', KEYS[2]) > 0 then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
"""
)
