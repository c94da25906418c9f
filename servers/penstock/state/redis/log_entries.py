"""The entries of a run's log, as they stand in its stream."""

import struct
from typing import Final, NamedTuple

from penstock.state.redis.scripts import Script

# Last sequence, the log's bytes so far, the writer's number, whether it is lifecycle, length of the writer's name.
_HEADER: Final = struct.Struct("<QQQBB")
_LIFECYCLE_AT: Final = 25  # counted from 1, as Lua does
FIELD: Final = b"e"


class LogEntry(NamedTuple):
    """Represents one entry; without events `last` is less than `first`."""

    first: int
    last: int
    log_bytes: int
    writer: str
    writer_sequence: int
    lifecycle: bool
    packed: bytes


def pack_entry(
    last: int, log_bytes: int, writer: str, writer_sequence: int, packed: bytes, *, lifecycle: bool
) -> bytes:
    """Packs an entry; the name under which it stands in the stream has its first sequence."""
    name = writer.encode()
    return _HEADER.pack(last, log_bytes, writer_sequence, lifecycle, len(name)) + name + packed


def unpack_entry(stream_id: bytes, value: bytes) -> LogEntry:
    """Reads what `pack_entry` packed."""
    last, log_bytes, writer_sequence, lifecycle, length = _HEADER.unpack_from(value)
    begin = _HEADER.size + length
    first, _, without_events = stream_id.partition(b"-")
    return LogEntry(
        first=int(first) + (without_events != b"0"),
        last=last,
        log_bytes=log_bytes,
        writer=value[_HEADER.size : begin].decode(),
        writer_sequence=writer_sequence,
        lifecycle=bool(lifecycle),
        packed=value[begin:],
    )


def stream_id(first: int, entries: int, *, has_events: bool) -> str:
    """Names an entry in its stream: one with events by its first sequence, any other after those before it."""
    return f"{first}-0" if has_events else f"{first - 1}-{entries}"


# Entries that one look goes over at most: nobody else is served meanwhile.
_MOST_ENTRIES: Final = 1000

# KEYS: the log. ARGV: the next sequence, the last one wanted, most bytes, 1 for entries of the lifecycle only.
# Answers the entries from the one with the next sequence on; the sequence at which more may follow, 0: none; and
# whether nothing stands at the next sequence or before it, as when it was trimmed. Where not all were looked at there
# may be none of those wanted among them.
READ_ENTRIES: Final = Script(
    f"""#!lua flags=no-writes
local next, last, most, lifecycle = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local holds = redis.call('XREVRANGE', KEYS[1], next .. '-0', '-', 'COUNT', 1)[1]
local from = holds and holds[1] or '-'
local trimmed = holds and 0 or 1
local found, bytes, seen = {{}}, 0, 0
-- Few at first: they may be large.
local count = 8
while true do
  local page = redis.call('XRANGE', KEYS[1], from, last .. '-0', 'COUNT', count)
  for _, entry in ipairs(page) do
    local value = entry[2][2]
    if not lifecycle or string.byte(value, {_LIFECYCLE_AT}) == 1 then
      found[#found + 1] = {{entry[1], value}}
      bytes = bytes + #value
      if bytes >= most then
        return {{found, struct.unpack('<I8', value) + 1, trimmed}}
      end
    end
  end
  if #page < count then
    return {{found, 0, trimmed}}
  end
  seen = seen + count
  if seen >= {_MOST_ENTRIES} then
    return {{found, struct.unpack('<I8', page[#page][2][2]) + 1, trimmed}}
  end
  from = '(' .. page[#page][1]
  count = math.min(4 * count, 512)
end
""",
    read_only=True,
)
