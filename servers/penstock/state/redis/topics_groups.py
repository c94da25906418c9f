"""What is done to a group of a topic in one step: join, take, answer and leave.

A group has two keys beside its topic's. Its hash has the position that it gets next (next), when a stream was last
seen (seen), for each stream `s:STREAM` (events that it has out, its visibility time, when it last got more time, for
what comes after which position, and when it was seen), and for each delivery that is not answered `d:POSITION` (its
number, the stream that has it or `-`, and why it comes again). The other key has the positions of these by the time
when they come again, with leading zeros, so that those of one time are in order.
"""

from typing import Final

from penstock.state.redis.scripts import Script
from penstock.state.redis.topics_scripts import NOW
from penstock.state.topic_store import MOST_DELIVERIES, STREAM_ENDED, TIMED_OUT

# Streams take something, or look whether there is something, every ten seconds.
_SILENT_US: Final = 30_000_000

# Keys: group, due.
_WORDS: Final = (
    NOW
    + f"""
local MOST_DELIVERIES, SILENT_US = {MOST_DELIVERIES}, {_SILENT_US}
local TIMED_OUT, STREAM_ENDED = [[{TIMED_OUT}]], [[{STREAM_ENDED}]]
"""
    + """
local group, due = KEYS[1], KEYS[2]
local function padded(position) return string.format('%016.0f', position) end
local function read_delivery(position)
  local line = redis.call('HGET', group, 'd:' .. text(position))
  if not line then return nil end
  local delivery, stream, reason = string.match(line, '^(%d+) (%S+) (.*)$')
  return tonumber(delivery), stream, reason
end
local function write_delivery(position, delivery, stream, reason, due_us)
  redis.call('HSET', group, 'd:' .. text(position), table.concat({text(delivery), stream, reason}, ' '))
  redis.call('ZADD', due, text(due_us), padded(position))
end
local function settle(position)
  redis.call('HDEL', group, 'd:' .. text(position))
  redis.call('ZREM', due, padded(position))
end
local function read_stream(stream)
  local line = redis.call('HGET', group, 's:' .. stream)
  if not line then return nil end
  local out, visibility, prolonged, after, seen = string.match(line, '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  return tonumber(out), tonumber(visibility), tonumber(prolonged), tonumber(after), tonumber(seen)
end
local function write_stream(stream, out, visibility, prolonged, after, seen)
  local line = {text(math.max(0, out)), text(visibility), text(prolonged), text(after), text(seen)}
  redis.call('HSET', group, 's:' .. stream, table.concat(line, ' '))
end
local function free(stream, count)
  local out, visibility, prolonged, after, seen = read_stream(stream)
  if out then write_stream(stream, out - count, visibility, prolonged, after, seen) end
end
-- Of what a stream that has ended had, only the oldest counts: the others were waiting behind it. Nothing counts of
-- what a process had that has ended, or has been silent for long. `streams` are looked for in one go, because that
-- costs as much as for one.
local function give_back(streams, counts)
  local given, oldest = {}, {}
  local all = redis.call('HGETALL', group)
  for at = 1, #all, 2 do
    local position = tonumber(string.match(all[at], '^d:(%d+)$'))
    if position then
      local delivery, holder = string.match(all[at + 1], '^(%d+) (%S+) ')
      if streams[holder] then
        given[#given + 1] = {position, tonumber(delivery), holder}
        oldest[holder] = math.min(oldest[holder] or position, position)
      end
    end
  end
  for _, delivery in ipairs(given) do
    local number = counts and delivery[1] == oldest[delivery[3]] and delivery[2] or delivery[2] - 1
    write_delivery(delivery[1], number, '-', STREAM_ENDED, 0)
  end
  for stream in pairs(streams) do redis.call('HDEL', group, 's:' .. stream) end
  return #given
end
"""
)

# Keys: group, due, topic, groups. In: group, stream, where it begins ('' for what comes), whether the topic was listed.
# Out: 'list', 'future' with the topic's next position, or 'joined' with the group's.
JOIN: Final = Script(
    "#!lua\n"
    + _WORDS
    + """
local bounds = redis.call('HMGET', KEYS[3], 'first', 'next')
if not bounds[1] and ARGV[4] == '0' then return {'list'} end
local first, following = tonumber(bounds[1] or '1'), tonumber(bounds[2] or '1')
local position = tonumber(redis.call('HGET', group, 'next') or '0')
if position == 0 then
  position = ARGV[3] == '' and following or tonumber(ARGV[3])
  if position > following then return {'future', text(following)} end
end
position = math.max(position, first)
if not bounds[1] then redis.call('HSET', KEYS[3], 'first', '1', 'next', '1', 'used', text(now)) end
redis.call('SADD', KEYS[4], ARGV[1])
redis.call('HSETNX', group, 'next', text(position))
redis.call('HSET', group, 'seen', text(now))
if not read_stream(ARGV[2]) then write_stream(ARGV[2], 0, 0, 0, 0, now) end
return {'joined', text(position)}
"""
)

# Keys: group, due, topic, events. In: stream, most events out, most bytes, visibility, whether the group is its own.
# Out: 'lost'; 'bury' with position, delivery, reason and body of events that were delivered too often; or 'taken' with
# how many were skipped, microseconds until something is due ('': nothing), whether there is more, what was dropped
# (position, delivery, reason), and position, delivery, dead letter's reason and body of each event.
TAKE: Final = Script(
    "#!lua\n"
    + _WORDS
    + """
local stream, most, most_bytes, visibility = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local own = ARGV[5] == '1'
local state = redis.call('HMGET', group, 'next', 'seen')
local bounds = redis.call('HMGET', KEYS[3], 'first', 'next')
if not state[1] or not bounds[1] then return {'lost'} end
if now - tonumber(state[2]) > 5000000 then
  redis.call('HSET', group, 'seen', text(now))
  local silent = {}
  for _, field in ipairs(redis.call('HKEYS', group)) do
    local other = string.match(field, '^s:(%S+)$')
    if other and other ~= stream then
      local _, _, _, _, other_seen = read_stream(other)
      if now - other_seen > SILENT_US then silent[other] = true end
    end
  end
  if next(silent) then give_back(silent, false) end
end
local out, _, prolonged, after = read_stream(stream)
out, prolonged, after = out or 0, prolonged or 0, after or 0
local room = most - out
local size, skipped, more = 0, 0, 0
local events, bury, dropped, freed = {}, {}, {}, {}
local function event_at(position)
  local entry = redis.call('XRANGE', KEYS[4], text(position), text(position))[1]
  return entry and entry[2]
end
local function bytes_of(event) return #event[2] + #event[6] end
local function fits(event) return #events == 0 or size + bytes_of(event) <= most_bytes end
local function give(position, delivery, event)
  write_delivery(position, delivery, stream, '', now + visibility)
  size = size + bytes_of(event)
  events[#events + 1] = {text(position), delivery, event[6], event[2]}
end

local waiting = redis.call('ZRANGEBYSCORE', due, '-inf', text(now), 'LIMIT', 0, 2000)
table.sort(waiting)
for _, member in ipairs(waiting) do
  local position = tonumber(member)
  local delivery, holder, reason = read_delivery(position)
  if delivery >= MOST_DELIVERIES then
    local event = event_at(position)
    if holder ~= '-' then reason = TIMED_OUT end
    if event and not own then
      bury[#bury + 1] = {text(position), delivery, reason, event[2]}
      if #bury == 10 then break end
    else
      if event then dropped[#dropped + 1] = {text(position), delivery, reason} else skipped = skipped + 1 end
      settle(position)
      freed[holder] = (freed[holder] or 0) + 1
      if holder == stream then room = room + 1 end
    end
  end
end
if #bury > 0 then
  for holder, count in pairs(freed) do free(holder, count) end
  return {'bury', bury}
end
for _, member in ipairs(waiting) do
  local position = tonumber(member)
  local delivery, holder = read_delivery(position)
  -- What this stream let time pass for takes no more room than it had.
  if delivery and (room > 0 or holder == stream) then
    local event = event_at(position)
    if not event then
      skipped = skipped + 1
      settle(position)
    elseif not fits(event) then
      more = 1
      break
    else
      give(position, delivery + 1, event)
      room = room - 1
      out = out + 1
    end
    if holder ~= '-' then freed[holder] = (freed[holder] or 0) + 1 end
    if holder == stream then room = room + 1 end
  end
end
local position, first, following = tonumber(state[1]), tonumber(bounds[1]), tonumber(bounds[2])
if position < first then
  skipped = skipped + first - position
  position = first
end
while more == 0 and room > 0 and position < following do
  -- A few at a time, because each may have 1 MiB.
  local entries = redis.call('XRANGE', KEYS[4], text(position), '+', 'COUNT', math.min(room, 16))
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    if not fits(entry[2]) then
      more = 1
      break
    end
    position = tonumber(string.match(entry[1], '^%d+'))
    give(position, 1, entry[2])
    position = position + 1
    room = room - 1
    out = out + 1
  end
end
if position ~= tonumber(state[1]) then redis.call('HSET', group, 'next', text(position)) end
out = out - (freed[stream] or 0)
freed[stream] = nil
for holder, count in pairs(freed) do free(holder, count) end
write_stream(stream, out, visibility, prolonged, after, now)
local following_due = redis.call('ZRANGEBYSCORE', due, '(' .. text(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return {'taken', skipped, following_due[2] and text(tonumber(following_due[2]) - now) or '', more, dropped, events}
"""
)

# Keys: group, due. In: for each event that was buried its position and the delivery that was its last.
BURIED: Final = Script(
    "#!lua flags=allow-oom\n"
    + _WORDS
    + """
for at = 1, #ARGV, 2 do
  local delivery, holder = read_delivery(tonumber(ARGV[at]))
  if delivery == tonumber(ARGV[at + 1]) then
    settle(tonumber(ARGV[at]))
    free(holder, 1)
  end
end
"""
)

# Keys: group, due. In: number of positions done with, these, and position and reason of each that failed.
# Out: positions that nobody waits for, and the streams that had those which were answered.
ANSWER: Final = Script(
    "#!lua flags=allow-oom\n"
    + _WORDS
    + """
local unknown, answered = {}, {}
local function answer(position, holder)
  local known = answered[holder] or {0, position}
  answered[holder] = {known[1] + 1, math.min(known[2], position)}
end
local done = tonumber(ARGV[1])
for at = 2, done + 1 do
  local position = tonumber(ARGV[at])
  local delivery, holder = read_delivery(position)
  if delivery then
    settle(position)
    answer(position, holder)
  else
    unknown[#unknown + 1] = ARGV[at]
  end
end
for at = done + 2, #ARGV, 2 do
  local position = tonumber(ARGV[at])
  local delivery, holder = read_delivery(position)
  if delivery and holder ~= '-' then
    write_delivery(position, delivery, '-', ARGV[at + 1], 0)
    answer(position, holder)
  else
    unknown[#unknown + 1] = ARGV[at]
  end
end
local holders = {}
for holder, known in pairs(answered) do
  local out, visibility, prolonged, after, seen = read_stream(holder)
  if out then
    holders[#holders + 1] = holder
    out = out - known[1]
    -- Each answer could prolong; done now and then it costs a tenth, and keeps three quarters of the time.
    if out > 0 and (now - prolonged >= visibility / 4 or known[2] < after) then
      local short = redis.call('ZRANGEBYSCORE', due, '(' .. text(now), text(now + visibility * 3 / 4))
      for _, member in ipairs(short) do
        local position = tonumber(member)
        local _, its_holder = read_delivery(position)
        if its_holder == holder and position > known[2] then redis.call('ZADD', due, text(now + visibility), member) end
      end
      prolonged, after = now, known[2]
    end
    write_stream(holder, out, visibility, prolonged, after, seen)
  end
end
return {unknown, holders}
"""
)

# Keys: group, due, topic, groups. In: group, stream, whether the group is its own, whether the deliveries count.
# Out: how many are given back.
LEAVE: Final = Script(
    "#!lua flags=allow-oom\n"
    + _WORDS
    + """
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('HSET', KEYS[3], 'used', text(now)) end
if redis.call('EXISTS', group) == 0 then return 0 end
if ARGV[3] == '1' then
  redis.call('DEL', group, due)
  redis.call('SREM', KEYS[4], ARGV[1])
  return 0
end
local given = 0
if read_stream(ARGV[2]) == 0 then
  redis.call('HDEL', group, 's:' .. ARGV[2])
else
  given = give_back({[ARGV[2]] = true}, ARGV[4] == '1')
end
redis.call('HSET', group, 'seen', text(now))
return given
"""
)

# Keys: group, due. In: a stream that lives. One that was taken for dead meanwhile comes back when it takes something.
SEEN: Final = Script(
    "#!lua flags=allow-oom\n"
    + _WORDS
    + """
local out, visibility, prolonged, after = read_stream(ARGV[1])
if not out then return end
redis.call('HSET', group, 'seen', text(now))
write_stream(ARGV[1], out, visibility, prolonged, after, now)
"""
)

# Keys: group, due, groups. In: group, for how long nobody may have been seen. Out: microseconds since somebody was,
# '' when it was forgotten.
FORGET_GROUP: Final = Script(
    "#!lua flags=allow-oom\n"
    + _WORDS
    + """
local silent = now - tonumber(redis.call('HGET', group, 'seen') or '0')
if silent < tonumber(ARGV[2]) then return text(silent) end
redis.call('DEL', group, due)
redis.call('SREM', KEYS[3], ARGV[1])
return ''
"""
)
