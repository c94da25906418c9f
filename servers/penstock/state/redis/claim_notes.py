"""What instances are about to claim, noted before the first run is claimed.

Rooms alone decide whose a run is. A note spares others the attempt to get the same, and lets a repeat of a claim find
what the first attempt has brought.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from penstock.state.redis.claiming import Candidate, Claim
from penstock.state.redis.link import Link
from penstock.state.redis.run_indexes import Place
from penstock.state.redis.scripts import Script

# Whoever has reserved a run and is heard of no more has it to himself for so long.
_RESERVED_US: Final = 1_000_000

# KEYS: the newest claim by instance, reserved runs by the time at which that ends. ARGV: the instance, the claim.
# Answers the attempt and the candidates that the claim has noted, if it is the newest, and how many runs are reserved.
_LOOK: Final = Script(
    """#!lua flags=no-writes
local time = redis.call('TIME')
local noted = redis.call('HGET', KEYS[1], ARGV[1])
local attempt, candidates = '', ''
if noted then
  local claim, by, what = string.match(noted, '^(%S+) (%S+) (.*)$')
  if claim == ARGV[2] then attempt, candidates = by, what end
end
local now = string.format('%.0f', time[1] * 1000000 + time[2])
return {attempt, candidates, redis.call('ZCOUNT', KEYS[2], '(' .. now, '+inf')}
""",
    read_only=True,
)

# ARGV: the instance, the claim, its attempt, the attempt that it knows of, most candidates, then by twos a run and its
# candidate. Reserves the first that nobody else has reserved, and notes them.
# Answers them, and when the first of those left out may be had, 0: none. Where another attempt has noted some since,
# nothing is reserved, and the answer is what that one has noted.
_RESERVE: Final = Script(
    f"""#!lua
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function number(value)
  return string.format('%.0f', value)
end
local noted = redis.call('HGET', KEYS[1], ARGV[1])
if noted then
  local claim, by, what = string.match(noted, '^(%S+) (%S+) (.*)$')
  if claim == ARGV[2] and by ~= ARGV[3] and by ~= ARGV[4] then
    return {{what, '0'}}
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', number(now))
local chosen, mine, again = {{}}, {{}}, 0
for place = 6, #ARGV, 2 do
  if #chosen == tonumber(ARGV[5]) then break end
  local run = ARGV[place]
  local till = not mine[run] and redis.call('ZSCORE', KEYS[2], run)
  -- One beyond that was noted before the clock was set back.
  if till and tonumber(till) <= now + {_RESERVED_US} then
    if again == 0 or tonumber(till) < again then again = tonumber(till) end
  else
    mine[run] = true
    redis.call('ZADD', KEYS[2], number(now + {_RESERVED_US}), run)
    chosen[#chosen + 1] = ARGV[place + 1]
  end
end
local what = '[' .. table.concat(chosen, ',') .. ']'
if #chosen > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. what)
end
return {{what, number(again)}}
"""
)


class Noted(NamedTuple):
    """Represents what an attempt of a claim has noted, and how many runs are reserved by all; '' and none: nothing."""

    attempt: str
    candidates: Sequence[Candidate]
    reserved: int


class Reserved(NamedTuple):
    """Represents what a claim may try to get, and when there may be more for it, in microseconds; 0: nobody knows."""

    candidates: Sequence[Candidate]
    next_us: int


class ClaimNotes:
    """Keeps the notes, for all state processes together."""

    def __init__(self, link: Link) -> None:
        tag = link.keys.tag("claims")
        self._link = link
        self._newest, self._reserved = self._keys = (tag.key("newest"), tag.key("reserved"))

    async def look(self, claim: Claim) -> Noted:
        """Looks at what an earlier attempt has noted."""
        reply = await self._link.run(_LOOK, self._keys, (claim.instance_id, claim.claim_id))
        attempt, candidates, reserved = reply.value
        return Noted(attempt.decode(), _unpack(candidates), reserved)

    async def reserve(self, claim: Claim, noted: Noted, candidates: Sequence[Candidate], most: int) -> Reserved:
        """Notes which of the candidates the claim is about to get, so that others leave them alone."""
        arguments: list[str | int] = [*claim, noted.attempt, most]
        for candidate in candidates:
            arguments += (candidate.place.pack(), json.dumps(candidate))
        reserving = self._link.run(_RESERVE, self._keys, arguments)
        try:
            reply = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            reserving.add_done_callback(self._let_all_go)
            raise
        what, next_us = reply.value
        return Reserved(_unpack(what), int(next_us))

    async def narrow(self, claim: Claim, candidates: Sequence[Candidate]) -> None:
        """Notes that the claim is about to get these only."""
        noted = f"{claim.claim_id} {claim.attempt} {json.dumps(candidates)}"
        await self._link.call("HSET", self._newest, claim.instance_id, noted, key=self._newest)

    def let_go(self, candidates: Sequence[Candidate]) -> None:
        """Leaves runs to others, now that it is known whose they are; if this fails, they are reserved for a moment."""
        runs = [candidate.place.pack() for candidate in candidates]
        if runs:
            self._link.call("ZREM", self._reserved, *runs, key=self._reserved).add_done_callback(_ignore)

    def forget(self, instance_id: str) -> None:
        """Forgets an instance that will claim no more."""
        self._link.call("HDEL", self._newest, instance_id, key=self._newest).add_done_callback(_ignore)

    def _let_all_go(self, reserving: asyncio.Future[Any]) -> None:
        if not reserving.cancelled() and reserving.exception() is None:
            self.let_go(_unpack(reserving.result().value[0]))


def _unpack(packed: bytes) -> list[Candidate]:
    return [Candidate(Place(*place), owner) for place, owner in json.loads(packed or b"[]")]


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
