"""What becomes of an entry of an index once whoever is concerned with it has looked at what it stands for."""

from typing import Final

from penstock.state.redis.scripts import Script

# KEYS: the index. ARGV: what stands there, its score as seen, and the one that it is to have now; '': it goes.
# Does nothing when the score is another by now: then somebody has put it there anew.
SETTLE: Final = Script(
    """#!lua flags=allow-oom
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
end
return 1
"""
)
