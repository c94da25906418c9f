"""Which generation new runs begin in: it grows when a server is met that may lack what was acknowledged before."""

from asyncio import Future
from functools import partial
from typing import Final

from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Reply, Script

_PLACES: Final = 512

# KEYS: a hash of places. ARGV: the newest generation that the caller knows, then by threes place, run id, 1 where it
# syncs always.
# Those met together when nothing is known begin in 1; whoever comes later may stand in for one that was lost. One life
# may be met at several places, if its address is not the same for all. A place that synced always has lost nothing
# unless another stood in for it meanwhile, which would be the newer one.
_MEET: Final = Script(
    """#!lua flags=allow-oom
local newest = tonumber(ARGV[1])
local lives = {}
for _, life in ipairs(redis.call('HVALS', KEYS[1])) do
  local generation, run_id = string.match(life, '^(%d+) (%S+)')
  newest = math.max(newest, tonumber(generation))
  lives[run_id] = math.max(lives[run_id] or 0, tonumber(generation))
end
local generations = {}
for place = 2, #ARGV, 3 do
  local life = redis.call('HGET', KEYS[1], ARGV[place])
  local generation = lives[ARGV[place + 1]] or newest + 1
  if life and not lives[ARGV[place + 1]] then
    local before, always = string.match(life, '^(%d+) %S+ (%d)$')
    if always == '1' and tonumber(before) == newest then
      generation = newest
    end
  end
  redis.call('HSET', KEYS[1], ARGV[place], string.format('%d %s %s', generation, ARGV[place + 1], ARGV[place + 2]))
  generations[#generations + 1] = generation
end
return generations
"""
)


class Generations:
    """Knows the first generation of runs that a server records.

    A run that was lost whole, and is recorded again under its key, must not come to numbers that somebody has seen.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._key = link.keys.index("generations")
        self._known: dict[ServerIdentity, int] = {}
        self._asked: dict[ServerIdentity, Future[Reply]] = {}

    async def open(self) -> None:
        """Meets the servers of the moment, all in one step."""
        tags = (self._link.keys.tag("place", str(number)) for number in range(_PLACES))
        servers = list({self._link.server_of(tag.begin) for tag in tags})
        reply = await self._meet(servers)
        self._note(servers, reply)

    def of(self, server: ServerIdentity) -> int | None:
        """Returns the first generation of runs recorded on a server; None: `learn` first."""
        return self._known.get(server)

    def learn(self, server: ServerIdentity) -> Future[Reply]:
        """Finds out; the future is done once it is known, or has what went wrong."""
        asked = self._asked.get(server)
        if asked is None:
            asked = self._asked[server] = self._meet([server])
            asked.add_done_callback(partial(self._learned, server))
        return asked

    def _meet(self, servers: list[ServerIdentity]) -> Future[Reply]:
        # A server that has forgotten everything has forgotten this too.
        arguments: list[str | int] = [max(self._known.values(), default=0)]
        for server in servers:
            arguments += [server.place, server.run_id, int(server.aof_always)]
        return self._link.run(_MEET, [self._key], arguments)

    def _learned(self, server: ServerIdentity, asked: Future[Reply]) -> None:
        del self._asked[server]
        if not asked.cancelled() and asked.exception() is None:
            self._note([server], asked.result())

    def _note(self, servers: list[ServerIdentity], reply: Reply) -> None:
        for server, generation in zip(servers, reply.value, strict=True):
            self._known[server] = generation
