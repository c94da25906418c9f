"""Which runs there may be to claim, and when there may be more."""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from penstock.state.redis.claim_notes import ClaimNotes
from penstock.state.redis.claiming import Candidate
from penstock.state.redis.leases import LeaseLook, Leases
from penstock.state.redis.link import Link
from penstock.state.redis.run_indexes import SETTLED_US, Place, RunIndexes
from penstock.state.redis.scripts import Script

# A lease that has lapsed is remembered for so long, so that its holder is told.
_KEPT_US: Final = 3_600_000_000
# Entries are written with a commit, and may be read before it is done.
_YOUNG_US: Final = 1_000_000

# KEYS: an index. ARGV: a member, the time of its entry. Removes the entry unless it was made anew since.
_REMOVE: Final = Script(
    """#!lua
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or -1) == tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return 1
"""
)


class Candidates(NamedTuple):
    """Represents what the indexes say: runs, and the time at which there may be more; 0: none is known.

    `entries` has the key, the member and the time of what says so.
    """

    entries: dict[Candidate, list[tuple[bytes, bytes, int]]]
    next_us: int


class ClaimIndexes:
    """Reads the indexes of runs that nobody drives."""

    def __init__(self, link: Link, indexes: RunIndexes, leases: Leases, notes: ClaimNotes) -> None:
        self._link = link
        self._indexes = indexes
        self._leases = leases
        self._notes = notes

    async def read(self, look: LeaseLook, limit: int) -> Candidates:
        """Returns runs whose turn has come, whose deadline has passed, or whose owner was lost."""
        free, due = self._indexes.claimable, self._indexes.due
        replies = await asyncio.gather(
            self._range(due, look.now_us + 1, "+inf", 1),
            self._range(due, "-inf", look.now_us, limit),
            *(self._range(self._indexes.owned(owner), "-inf", "+inf", limit) for owner in look.lapsed),
            self._range(free, "-inf", "+inf", limit),
        )
        found: dict[Candidate, list[tuple[bytes, bytes, int]]] = {}
        # The free last: however many wait, those whose owner was lost don't wait behind them.
        keys = (due, *map(self._indexes.owned, look.lapsed), free)
        for key, owner, flat in zip(keys, ("", *look.lapsed, ""), replies[1:], strict=True):
            for member, score in zip(flat[::2], flat[1::2], strict=True):
                found.setdefault(Candidate(Place.unpack(member), owner), []).append((key, member, int(float(score))))
            if owner and not flat and look.lapsed[owner] < look.now_us - _KEPT_US:
                self._leases.forget(owner, look.lapsed[owner])
                self._notes.forget(owner)
        next_due = [int(float(score)) for score in replies[0][1::2]]
        times = [time for time in (*next_due, look.next_us) if time]
        return Candidates(dict(islice(found.items(), limit)), min(times, default=0))

    def were_in_vain(self, found: Candidates, runs: Sequence[Candidate]) -> set[Candidate]:
        """Hears which runs were not there to be claimed; returns those that are so for longer than a commit takes.

        What says that they are is removed, unless a commit that has met with trouble may still make it true.
        """
        now_us = self._link.clock.now_us()
        stale: set[Candidate] = set()
        for run in runs:
            for key, member, since_us in found.entries.get(run, ()):
                if since_us < now_us - _YOUNG_US:
                    stale.add(run)
                if since_us < now_us - SETTLED_US:
                    self._link.run(_REMOVE, (key,), (member, since_us)).add_done_callback(_ignore)
        return stale

    def _range(self, key: bytes, least: int | str, most: int | str, limit: int) -> asyncio.Future[Sequence[bytes]]:
        words = ("ZRANGEBYSCORE", key, least, most, "WITHSCORES", "LIMIT", 0, limit)
        return self._link.call(*words, key=key, read_only=True)


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
