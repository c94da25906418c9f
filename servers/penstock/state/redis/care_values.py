"""Taking in exported values, as they were."""

from typing import Final

from penstock.state.clock import LARGEST_STEP_US, from_timestamp
from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Script
from penstock.state.redis.values_index import ValueIndex
from penstock.state.redis.values_scripts import PRESENT
from penstock.v1.state_admin_pb2 import ExportedValue
from penstock.v1.state_pb2 import ValueMetadata

# In: version, times of creation and change, expiry ('': none), metadata, data. Out: whether it was written.
# What was deleted there before has a version that is no newer than the clock, which the next one will be.
_ADD: Final = Script(
    "#!lua\n"
    + PRESENT
    + f"""
if live or (head[1] and tonumber(head[1]) > tonumber(ARGV[1])) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'v', ARGV[1], 'c', ARGV[2], 'u', ARGV[3], 'l', '1')
redis.call('HSET', KEYS[2], 'm', ARGV[5], 'd', ARGV[6])
if ARGV[4] ~= '' then
  local ends = math.ceil(tonumber(ARGV[4]) / 1000)
  redis.call('HSET', KEYS[1], 'e', ARGV[4])
  redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', ends))
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends + {LARGEST_STEP_US // 1000}))
end
return 1
"""
)


async def add_value(link: Link, index: ValueIndex, exported: ExportedValue) -> bool:
    """Writes a value; see StoreCare."""
    value, name = exported.value, exported.value.key.encode()
    expiry = from_timestamp(value.expire_time) if value.HasField("expire_time") else None
    await index.list(exported.tenant, name)
    arguments = (
        value.version,
        from_timestamp(value.create_time),
        from_timestamp(value.update_time),
        "" if expiry is None else expiry,
        ValueMetadata(entries=value.metadata).SerializeToString(),
        value.data,
    )
    reply = await link.run(_ADD, index.value_keys(exported.tenant, name), arguments)
    if reply.value and expiry is not None:
        index.note(exported.tenant, name, expiry)
    return bool(reply.value)
