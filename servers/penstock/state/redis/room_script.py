"""The scripts that a room lives by: one looks at it, one takes it a version on."""

from typing import Final

from penstock.state.redis.scripts import Script

# Keys that the commands name stand among KEYS too where it matters (see `Room._keys`); the room comes first.
# KEYS: the room. ARGV: version and identity as known, then reading commands, each with its number of words before it.
# Answers the room's hash, or false where it is as known, and what the commands brought.
LOOK: Final = Script(
    """#!lua flags=no-writes
local answers = {false}
local at = redis.call('HMGET', KEYS[1], 'v', 'i')
if (at[1] or '0') ~= ARGV[1] or (at[2] or '') ~= ARGV[2] then
  answers[1] = redis.call('HGETALL', KEYS[1])
end
local place = 3
while place <= #ARGV do
  local words = tonumber(ARGV[place])
  answers[#answers + 1] = redis.call(unpack(ARGV, place + 1, place + words))
  place = place + words + 1
end
return answers
""",
    read_only=True,
)

_COMMIT: Final = """
local at = redis.call('HMGET', KEYS[1], 'v', 'i')
if (at[1] or '0') ~= ARGV[1] or (at[2] or '') ~= ARGV[2] then
  return redis.call('HGETALL', KEYS[1])
end
local place = 3
while place <= #ARGV do
  local words = tonumber(ARGV[place])
  redis.call(unpack(ARGV, place + 1, place + words))
  place = place + words + 1
end
return 1
"""

# KEYS: the room. ARGV: version and identity as known, then writing commands as above.
# Answers 1, or the room's hash where it is not as known; then nothing was done.
COMMIT: Final = Script("#!lua" + _COMMIT)

# The same for what takes away more than it adds, and a command on an index that goes with that.
COMMIT_RELIEF: Final = Script("#!lua flags=allow-oom" + _COMMIT)
RELIEF: Final = Script("#!lua flags=allow-oom\nreturn redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))")

# KEYS: the room. ARGV: its identity as known, then by threes a hash, the field of a run's durable mark, and the mark.
# Raises each mark to the one given.
MARK: Final = Script(
    """#!lua
if redis.call('HGET', KEYS[1], 'i') ~= ARGV[1] then
  return 0
end
for place = 2, #ARGV, 3 do
  local hash, field, mark = ARGV[place], ARGV[place + 1], ARGV[place + 2]
  local at = redis.call('HGET', hash, field)
  if at and (tonumber(at) or -1) < tonumber(mark) then
    redis.call('HSET', hash, field, mark)
  end
end
return 1
"""
)
