"""Finding runs of a tenant, newest first: what one index gives in order is checked against the runs themselves.

A place is the time of a page's last run, and what stands for that run in the index.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from penstock.state.redis.link import Link
from penstock.state.redis.room_keys import SessionKeys
from penstock.state.redis.run_indexes import SETTLED_US, Place, RunIndexes
from penstock.state.redis.run_reading import RunReader
from penstock.state.stores import Page, RunQuery
from penstock.v1.run_pb2 import Run

# Entries that are looked at for one page: what few runs have gives short pages, not a stalled event loop.
_MOST_LOOKED_AT: Final = 5000
_TOGETHER: Final = 100


class _Entry(NamedTuple):
    """Represents an entry of an index; of two the greater is the newer."""

    created_us: int
    member: bytes
    key: bytes

    def place(self) -> bytes:
        return b"\1" + self.created_us.to_bytes(8, "big") + self.member


class Listing:
    """Finds runs by their indexes."""

    def __init__(self, link: Link, indexes: RunIndexes, reader: RunReader) -> None:
        self._link = link
        self._indexes = indexes
        self._reader = reader

    async def find(self, query: RunQuery) -> Page[Run]:
        """Returns one page of runs, without plan, input and output."""
        found: list[Run] = []
        size = looked_at = 0
        last: _Entry | None = None
        pages = self._entries(query)
        async with aclosing(pages):
            async for entries in pages:
                runs = await asyncio.gather(*(self._read(query, entry) for entry in entries))
                for entry, run in zip(entries, runs, strict=True):
                    if last is not None and (
                        len(found) == query.limit or size >= query.max_bytes or looked_at == _MOST_LOOKED_AT
                    ):
                        return Page(found, last.place())
                    last = entry
                    looked_at += 1
                    if run is not None:
                        found.append(run)
                        size += run.ByteSize()
        return Page(found, None)

    async def _read(self, query: RunQuery, entry: _Entry) -> Run | None:
        """Reads a run; None: it does not fulfil the conditions, or is gone."""
        # A session's own list is of ids alone.
        run_id = entry.member.decode() if query.session_id else Place.unpack(entry.member).run_id
        reading = await self._reader.read(query.tenant, run_id, "summary")
        if reading is None:
            if entry.created_us < self._link.clock.now_us() - SETTLED_US:
                self._link.call("ZREM", entry.key, entry.member, key=entry.key).add_done_callback(_ignore)
            return None
        run = reading.put_together().run
        fits = (
            (not query.states or run.state in query.states)
            and (not query.session_id or run.session_id == query.session_id)
            and all(run.labels.get(key) == value for key, value in query.labels.items())
        )
        return run if fits else None

    async def _entries(self, query: RunQuery) -> AsyncGenerator[Sequence[_Entry]]:
        """Yields the entries of the index that has the fewest for these conditions, newest first, in pages."""
        keys = self._keys(query)
        newest = None if query.created_until_us is None else query.created_until_us - 1
        most = "+inf" if newest is None else str(newest)
        before: _Entry | None = None
        if query.before:
            raw = query.before.to_bytes((query.before.bit_length() + 7) // 8, "big")
            before = _Entry(int.from_bytes(raw[1:9], "big"), raw[9:], b"")
            most = str(before.created_us if newest is None else min(before.created_us, newest))
        least = "-inf" if query.created_from_us is None else str(query.created_from_us)
        size = min(query.limit + 1, _TOGETHER)
        while True:
            # Those of the newest time come again with each page; there are few of one microsecond.
            size_now = size + 1
            replies = await asyncio.gather(*(self._range(key, most, least, size_now) for key in keys))
            entries = sorted((entry for reply in replies for entry in reply), reverse=True)
            if any(len(reply) == size_now for reply in replies):
                # Beyond the end of the shortest full reply others may come first.
                floor = max(reply[-1] for reply in replies if len(reply) == size_now)
                entries = [entry for entry in entries if entry >= floor]
                more = True
            else:
                more = False
            if before is not None:
                entries = [entry for entry in entries if entry[:2] < before[:2]]
            if entries:
                yield entries
                before = entries[-1]
                most = str(before.created_us)
                size = _TOGETHER
            elif more:
                size *= 2  # as many in one microsecond
            if not more:
                return

    def _keys(self, query: RunQuery) -> list[bytes]:
        if query.session_id:
            return [SessionKeys.of(self._link.keys.session_room(query.tenant, query.session_id)).runs]
        if query.labels:
            key, value = next(iter(query.labels.items()))
            return [self._indexes.label(query.tenant, key, value)]
        if query.states:
            return list({self._indexes.state(query.tenant, state) for state in query.states})
        return [self._indexes.tenant(query.tenant)]

    async def _range(self, key: bytes, most: str, least: str, size: int) -> list[_Entry]:
        words: tuple[Any, ...] = ("ZREVRANGEBYSCORE", key, most, least, "WITHSCORES", "LIMIT", 0, size)
        flat = await self._link.call(*words, key=key, read_only=True)
        return [_Entry(int(float(score)), member, key) for member, score in zip(flat[::2], flat[1::2], strict=True)]


def _ignore(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
