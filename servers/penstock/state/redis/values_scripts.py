"""What is done to a value in one step.

A value is two hashes in a slot of its own. The head has version (v), times of creation (c), change (u) and expiry (e;
without one it has none), and whether it is live (l); the body has data (d) and metadata (m), and goes when the value
expires or is deleted. The head stays a day longer, so that no version ever comes twice. Times are microseconds of the
server's clock. Versions stay text where they come from outside: a double does not hold them all.
"""

from typing import Final

from penstock.state.clock import LARGEST_STEP_US
from penstock.state.redis.scripts import Script

_KEPT_MS: Final = LARGEST_STEP_US // 1000

PRESENT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local head = redis.call('HMGET', KEYS[1], 'v', 'c', 'u', 'e', 'l')
local live = head[5] == '1' and (not head[4] or tonumber(head[4]) > now) and redis.call('EXISTS', KEYS[2]) == 1
"""

# In: precondition, its version, change of expiry, ttl, whether metadata come, metadata, data, whether it is listed.
# Out: what came of it (0: the precondition does not hold, 1: written, 2: it must be listed first), version, expiry.
PUT: Final = Script(
    "#!lua\n"
    + PRESENT
    + f"""
local holds = true
if ARGV[1] == 'version_is' then holds = live and head[1] == ARGV[2]
elseif ARGV[1] == 'must_not_exist' then holds = not live
elseif ARGV[1] == 'must_exist' then holds = live end
if not holds then return {{0, live and head[1] or '0'}} end
if not live and ARGV[8] == '0' then return {{2, '0'}} end
local version = string.format('%.0f', math.max((tonumber(head[1]) or 0) + 1, now))
local stamp = string.format('%.0f', now)
local expiry = nil
if ARGV[3] == 'ttl' then expiry = now + tonumber(ARGV[4])
elseif ARGV[3] == 'keep' and live and head[4] then expiry = tonumber(head[4]) end
if not live then redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[1], 'v', version, 'c', live and head[2] or stamp, 'u', stamp, 'l', '1')
redis.call('HSET', KEYS[2], 'd', ARGV[7])
if ARGV[5] == '1' then redis.call('HSET', KEYS[2], 'm', ARGV[6]) end
if expiry then
  local ends = math.ceil(expiry / 1000)
  redis.call('HSET', KEYS[1], 'e', string.format('%.0f', expiry))
  redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', ends))
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends + {_KEPT_MS}))
else
  redis.call('HDEL', KEYS[1], 'e')
  redis.call('PERSIST', KEYS[2])
  redis.call('PERSIST', KEYS[1])
end
return {{1, version, expiry and string.format('%.0f', expiry) or ''}}
"""
)

# In: the version to delete, 0 for any. Out: whether it was deleted, and the version that stands instead.
DELETE: Final = Script(
    "#!lua flags=allow-oom\n"
    + PRESENT
    + f"""
if not live then return {{0, '0'}} end
if ARGV[1] ~= '0' and ARGV[1] ~= head[1] then return {{0, head[1]}} end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'v', string.format('%.0f', math.max(tonumber(head[1]) + 1, now)),
  'u', string.format('%.0f', now), 'l', '0')
redis.call('HDEL', KEYS[1], 'e')
redis.call('PEXPIRE', KEYS[1], {_KEPT_MS})
return {{1, '0'}}
"""
)

# Out: version, created, changed, expiry, metadata, and the data or (when asked for '0') its length; nothing: none.
READ: Final = Script(
    "#!lua flags=no-writes\n"
    + PRESENT
    + """
if not live then return false end
local body = redis.call('HMGET', KEYS[2], 'm', ARGV[1] == '1' and 'd' or 'm')
local data = ARGV[1] == '1' and body[2] or redis.call('HSTRLEN', KEYS[2], 'd')
return {head[1], head[2], head[3], head[4] or '', body[1] or '', data}
""",
    read_only=True,
)
