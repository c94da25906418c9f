"""Taking in exported topics, as they were."""

from typing import Final

from penstock.state.clock import from_timestamp
from penstock.state.redis.link import Link
from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.order import Word
from penstock.state.redis.scripts import Script
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.redis.topics_scripts import NOW
from penstock.state.topic_store import imported_name
from penstock.v1.state_admin_pb2 import ExportedTopic, ExportedTopicEvents

# Keys: topic, groups. In: the next position; for each group its two keys, its name, its next position, how many
# deliveries, and for each of these position, number and reason. Out: whether it was made.
# They are due at once: whoever had them is not there any more.
_ADD: Final = Script(
    "#!lua\n"
    + NOW
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'first', ARGV[1], 'next', ARGV[1], 'used', text(now))
local at = 2
while at <= #ARGV do
  local group, due, name, following, deliveries = unpack(ARGV, at, at + 4)
  at = at + 5
  redis.call('DEL', group, due)
  redis.call('SADD', KEYS[2], name)
  redis.call('HSET', group, 'next', following, 'seen', text(now))
  for _ = 1, tonumber(deliveries) do
    redis.call('HSET', group, 'd:' .. ARGV[at], ARGV[at + 1] .. ' - ' .. ARGV[at + 2])
    redis.call('ZADD', due, 0, string.format('%016.0f', tonumber(ARGV[at])))
    at = at + 3
  end
end
return 1
"""
)

# Keys: topic, events, ids. In: for each event position, name, body, time and dead letter's reason.
# Out: whether they were added; not where some are there, or had been, or others behind them.
_ADD_EVENTS: Final = Script(
    """#!lua
local following = redis.call('HGET', KEYS[1], 'next')
if not following or tonumber(ARGV[#ARGV - 4]) >= tonumber(following) then return 0 end
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if newest and tonumber(string.match(newest[1], '^%d+')) >= tonumber(ARGV[1]) then return 0 end
for at = 6, #ARGV, 5 do
  if tonumber(ARGV[at]) <= tonumber(ARGV[at - 5]) then return 0 end
end
for at = 1, #ARGV, 5 do
  local position, name, body, time, reason = unpack(ARGV, at, at + 4)
  local added = redis.pcall('XADD', KEYS[2], position .. '-0', 'b', body, 't', time, 'r', reason)
  if type(added) == 'table' and added.err then return at == 1 and 0 or added end
  redis.call('ZADD', KEYS[3], position, name)
end
if not newest then redis.call('HSET', KEYS[1], 'first', ARGV[1], 'oldest', ARGV[4]) end
return 1
"""
)


async def add_topic(link: Link, index: NameIndex, exported: ExportedTopic) -> bool:
    """Makes a topic with its groups; see StoreCare."""
    keys = TopicKeys(link.keys, exported.tenant, exported.topic)
    words: list[Word] = [exported.next_position]
    for group in exported.groups:
        words += (*keys.group(group.group), group.group, group.next_position, len(group.deliveries))
        for given in group.deliveries:
            words += (given.position, given.delivery, given.reason)
    await index.list(exported.tenant, exported.topic.encode())
    return bool((await link.run(_ADD, (keys.topic, keys.groups), words)).value)


async def add_topic_events(link: Link, exported: ExportedTopicEvents) -> bool:
    """Adds events to a topic; see StoreCare."""
    keys = TopicKeys(link.keys, exported.tenant, exported.topic)
    words: list[Word] = []
    for given in exported.events:
        words += (
            given.position,
            imported_name(exported.topic, given),
            given.event.SerializeToString(),
            from_timestamp(given.event.time),
            given.dead_letter_reason,
        )
    return bool((await link.run(_ADD_EVENTS, (keys.topic, keys.events, keys.ids), words)).value)
