"""Which records there are, over all tenants, in an order that stays as it is."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

from penstock.state.care import RecordKind, RecordName
from penstock.state.redis.care_walk import KeyWalk
from penstock.state.redis.link import Link
from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.run_indexes import Place, RunIndexes
from penstock.state.stores import Page
from penstock.state.topic_store import REPLY_PREFIX
from penstock.wire.errors import InvalidArgument

# Names that are kept at once, for which all keys are gone through: some megabytes.
_WINDOW: Final = 50_000
_TIME_BYTES: Final = 8


class RecordNames:
    """Lists records: values and topics by their names, sessions by their rooms' marks, runs by tenant and creation."""

    def __init__(self, link: Link, values: NameIndex, topics: NameIndex, *, window: int = _WINDOW) -> None:
        self._link = link
        self._values = values
        self._topics = topics
        self._indexes = RunIndexes(link.keys)
        self._walk = KeyWalk(link)
        self._rooms = _Window(self._read_rooms, window)
        self._tenants = _Window(self._read_tenants, window)

    async def page(self, kind: RecordKind, after: bytes, limit: int) -> Page[RecordName]:
        """See StoreCare.names."""
        try:
            match kind:
                case RecordKind.VALUE:
                    return await self._listed(self._values, after, limit)
                case RecordKind.TOPIC:
                    found = await self._listed(self._topics, after, limit)
                    # Reply addresses end with those who wait there.
                    kept = [name for name in found.items if not name.name.startswith(REPLY_PREFIX)]
                    return Page(kept, found.next_place)
                case RecordKind.SESSION:
                    return await self._sessions(after, limit)
                case RecordKind.RUN:
                    return await self._runs(after, limit)
        except UnicodeDecodeError:
            wrong = ("after_cursor", "is not the cursor of an exported record; begin anew without one")
            raise InvalidArgument.of([wrong]) from None

    async def _listed(self, index: NameIndex, after: bytes, limit: int) -> Page[RecordName]:
        # A tenant's id has no NUL, so that tenant and name come apart again.
        begin, _, name_after = after.partition(b"\0")
        tenant = begin.decode()
        names: list[RecordName] = []
        while True:
            if tenant:
                wanted = limit - len(names)
                found = await index.names(tenant, b"", name_after, wanted)
                names += [RecordName(tenant, name.decode(), tenant.encode() + b"\0" + name) for name in found]
                if len(found) == wanted:
                    return Page(names, names[-1].place)
            following = await index.tenants(tenant.encode(), 1)
            if not following:
                return Page(names, None)
            tenant, name_after = following[0].decode(), b""

    async def _sessions(self, after: bytes, limit: int) -> Page[RecordName]:
        found = await self._rooms.after(after, limit)
        keys = [self._link.keys.plain("{" + mark.decode() + "}:room") for mark in found.names]
        rooms = await asyncio.gather(
            *(self._link.call("HMGET", key, "t", "m", key=key, read_only=True) for key in keys)
        )
        names = []
        for mark, (room, meta) in zip(found.names, rooms, strict=True):
            if room is not None and meta is not None:
                tenant, session_id = room.decode().split("\0")
                names.append(RecordName(tenant, session_id, mark))
        return Page(names, found.names[-1] if found.more else None)

    async def _runs(self, after: bytes, limit: int) -> Page[RecordName]:
        begin, _, inside = after.partition(b"\0")
        tenant = begin.decode()
        created_us, last = int.from_bytes(inside[:_TIME_BYTES], "big"), inside[_TIME_BYTES:]
        names: list[RecordName] = []
        while True:
            if tenant:
                wanted = limit - len(names)
                found = await self._runs_of(tenant, created_us, last, wanted)
                names += found
                if len(found) == wanted:
                    return Page(names, names[-1].place)
            tenants = await self._tenants.after(tenant.encode(), 1)
            if not tenants.names:
                return Page(names, None)
            tenant, created_us, last = tenants.names[0].decode(), 0, b""

    async def _runs_of(self, tenant: str, created_us: int, last: bytes, limit: int) -> list[RecordName]:
        """Returns runs of a tenant behind one that was created at a time; those of one time by their names."""
        key = self._indexes.tenant(tenant)
        size = limit
        while True:
            size += 1  # the last one comes again
            words = ("ZRANGEBYSCORE", key, created_us, "+inf", "WITHSCORES", "LIMIT", 0, size)
            flat: Sequence[bytes] = await self._link.call(*words, key=key, read_only=True)
            entries = [(int(float(score)), member) for member, score in zip(flat[::2], flat[1::2], strict=True)]
            new = [entry for entry in entries if entry > (created_us, last)][:limit]
            if len(new) == limit or len(entries) < size:
                return [
                    RecordName(
                        tenant,
                        Place.unpack(member).run_id,
                        tenant.encode() + b"\0" + created.to_bytes(_TIME_BYTES, "big") + member,
                    )
                    for created, member in new
                ]
            size *= 2  # so many of one microsecond

    async def _read_rooms(self) -> AsyncGenerator[Sequence[bytes]]:
        async with aclosing(self._walk.keys("room")) as pieces:
            async for piece in pieces:
                yield [found.tag.begin[-34:-2] for found in piece]

    async def _read_tenants(self) -> AsyncGenerator[Sequence[bytes]]:
        async with aclosing(self._walk.keys("runs-by-tenant")) as pieces:
            async for piece in pieces:
                firsts = await asyncio.gather(
                    *(self._link.call("ZRANGE", found.key, 0, 0, key=found.key, read_only=True) for found in piece)
                )
                yield [Place.unpack(first[0]).tenant.encode() for first in firsts if first]


class _Found(NamedTuple):
    names: Sequence[bytes]
    more: bool


class _Window:
    """Puts names in the order of their bytes that come in none: a bounded number of them, each time from all."""

    def __init__(self, read: Callable[[], AsyncGenerator[Sequence[bytes]]], size: int) -> None:
        self._read = read
        self._size = size
        self._begin = b""
        self._names: Sequence[bytes] = ()
        self._to_the_end = False

    async def after(self, name: bytes, limit: int) -> _Found:
        """Returns the next names behind one, at least one if there is one, and whether there may be more."""
        # Who begins sees what is there now.
        known = self._to_the_end or bool(self._names and name < self._names[-1])
        if not name or name < self._begin or not known:
            await self._fill(name)
        at = bisect_right(self._names, name)
        found = self._names[at : at + limit]
        return _Found(found, bool(found) and (at + limit < len(self._names) or not self._to_the_end))

    async def _fill(self, begin: bytes) -> None:
        kept: set[bytes] = set()
        to_the_end = True
        async with aclosing(self._read()) as pieces:
            async for piece in pieces:
                kept.update(name for name in piece if name > begin)
                if len(kept) > 2 * self._size:
                    kept = set(sorted(kept)[: self._size])
                    to_the_end = False
        names = sorted(kept)
        if len(names) > self._size:
            names, to_the_end = names[: self._size], False
        self._begin, self._names, self._to_the_end = begin, names, to_the_end
