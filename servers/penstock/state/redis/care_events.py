"""Events that were brought for a run which is not there yet: kept aside, then made a log that nobody sees so far."""

import secrets
from typing import Final, NamedTuple

from penstock.state.imported_log import entries_of
from penstock.state.redis.keys import Tag
from penstock.state.redis.link import Link
from penstock.state.redis.log_entries import FIELD, pack_entry, stream_id
from penstock.state.redis.room_keys import RunKeys
from penstock.state.redis.scripts import Script
from penstock.v1.run_log_pb2 import ReadEventsResponse
from penstock.v1.state_admin_pb2 import ExportedEvents, ExportedRun
from penstock.wire.errors import FailedPrecondition

_KEPT_MS: Final = 86_400_000
_MADE_MS: Final = 3_600_000

# KEYS: where the run's events are kept. ARGV: generation, first and last sequence, the events, milliseconds to keep it.
# A piece that does not follow what is kept replaces it, unless it is older: then the answer is 0.
_KEEP: Final = Script(
    """#!lua
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  local same, last = newest[2][2] == ARGV[1], tonumber(newest[2][4])
  if same and tonumber(ARGV[2]) <= last then return 0 end
  if not (same and tonumber(ARGV[2]) == last + 1) then redis.call('DEL', KEYS[1]) end
end
redis.call('XADD', KEYS[1], ARGV[2] .. '-0', 'g', ARGV[1], 'l', ARGV[3], 'e', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""
)

# KEYS: a log that is being made. ARGV: the entry's name, its field, the entry, milliseconds to keep it.
_MAKE: Final = Script(
    """#!lua
redis.call('XADD', KEYS[1], ARGV[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
)


class MadeLog(NamedTuple):
    """Represents a log that is about to become a run's: its key and its numbers."""

    key: bytes
    first: int
    last: int
    log_bytes: int
    entries: int


class ImportedEvents:
    """Keeps the events where the run would be by itself, because nobody has said yet in which session it is."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def keep(self, exported: ExportedEvents) -> bool:
        """Keeps a piece; see StoreCare.add_events."""
        events = exported.events
        packed = ReadEventsResponse(events=events).SerializeToString()
        words = (exported.generation, events[0].sequence, events[-1].sequence, packed, _KEPT_MS)
        return bool((await self._link.run(_KEEP, (self._kept(exported.tenant, exported.run_id),), words)).value)

    async def make(self, exported: ExportedRun, tag: Tag) -> MadeLog:
        """Makes a run's log of what was kept, piece by piece, beside where it will be; by itself it goes in an hour.

        Raises FailedPrecondition when the events are not all there.
        """
        run = exported.record.run
        kept = self._kept(exported.record.tenant, run.run_id)
        key = RunKeys.of(tag, run.run_id).fixed + b":made:" + secrets.token_hex(8).encode()
        made = MadeLog(key, 0, 0, 0, 0)
        begin = "-"
        while True:
            pieces = await self._link.call("XRANGE", kept, begin, "+", "COUNT", 1, key=kept, read_only=True)
            if not pieces:
                break
            ((name, (_, generation, _, _, _, packed)),) = pieces
            if int(generation) != run.generation:
                raise FailedPrecondition(f"the events of run {run.run_id} are of another generation than its record")
            for first, last, lifecycle, part in entries_of(packed, exported):
                made = MadeLog(key, made.first or first, last, made.log_bytes + len(part), made.entries + 1)
                entry = pack_entry(last, made.log_bytes, "", 0, part, lifecycle=lifecycle)
                words = (stream_id(first, made.entries, has_events=True), FIELD, entry, _MADE_MS)
                await self._link.run(_MAKE, (key,), words)
            begin = f"({name.decode()}"
        if made.last != run.last_sequence:
            raise FailedPrecondition(
                f"run {run.run_id} has {run.last_sequence} events, of which the import brought those up to {made.last}"
            )
        return made

    async def forget(self, exported: ExportedRun) -> None:
        """Drops what was kept for a run that is there now."""
        key = self._kept(exported.record.tenant, exported.record.run.run_id)
        await self._link.call("UNLINK", key, key=key)

    def _kept(self, tenant: str, run_id: str) -> bytes:
        return self._link.keys.run_room(tenant, run_id).key("imported")
