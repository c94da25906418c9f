"""Values on Redis."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from penstock.state.clock import to_timestamp
from penstock.state.redis.link import Link
from penstock.state.redis.values_index import ValueIndex
from penstock.state.redis.values_scripts import DELETE, PUT, READ
from penstock.state.stores import Page, ValueQuery
from penstock.v1.state_pb2 import (
    CompareAndSetValueRequest,
    CompareAndSetValueResponse,
    DeleteValueRequest,
    DeleteValueResponse,
    SetValueRequest,
    StoredValue,
    ValueMetadata,
)

_LISTED_FIRST: Final = 2
# Names that one page looks at for at most, so that many that are gone don't hold up the answer; and how many at once.
_MOST_LOOKED: Final = 5000
_MOST_AT_ONCE: Final = 500


class RedisValues:
    """Keeps values; each operation on one is one step at the server that has it."""

    def __init__(self, link: Link, index: ValueIndex) -> None:
        self._link = link
        self._index = index

    async def get(self, tenant: str, key: str) -> StoredValue | None:
        """See ValueStore."""
        return await self._read(tenant, key.encode())

    async def set(self, request: SetValueRequest) -> int:
        """See ValueStore."""
        _, version = await self._put(request, "", 0)
        return version

    async def delete(self, request: DeleteValueRequest) -> DeleteValueResponse:
        """See ValueStore."""
        name = request.key.encode()
        with self._noted_if_lost(request.tenant, name):
            reply = await self._link.run(DELETE, self._index.value_keys(request.tenant, name), (request.version,))
        deleted, version = reply.value
        if deleted:
            self._index.note(request.tenant, name, None)
        return DeleteValueResponse(deleted=bool(deleted), current_version=int(version))

    async def compare_and_set(self, request: CompareAndSetValueRequest) -> CompareAndSetValueResponse:
        """See ValueStore."""
        precondition = request.WhichOneof("precondition") or "must_exist"
        applied, version = await self._put(request, precondition, request.version_is)
        return CompareAndSetValueResponse(applied=applied, version=version)

    async def list(self, tenant: str, query: ValueQuery) -> Page[StoredValue]:
        """See ValueStore."""
        values: list[StoredValue] = []
        size = looked = 0
        after = query.after
        while True:
            most = query.limit + 1 - len(values)
            # The more names of nothing there were, the more there may be.
            wanted = max(most, min(looked, _MOST_AT_ONCE))
            names = await self._index.names(tenant, query.prefix, after, wanted)
            found = await self._read_names(tenant, names, query, most, query.max_bytes - size)
            for name, value in found:
                if value is not None:
                    size += value.ByteSize()
                    if values and (len(values) == query.limit or size > query.max_bytes):
                        return Page(values, values[-1].key.encode())
                    values.append(value)
                after = name
            if len(found) == len(names) < wanted:
                return Page(values, None)
            looked += len(found)
            if looked >= _MOST_LOOKED:
                return Page(values, after)

    async def _put(
        self, request: SetValueRequest | CompareAndSetValueRequest, precondition: str, version: int
    ) -> tuple[bool, int]:
        name = request.key.encode()
        keys = self._index.value_keys(request.tenant, name)
        change = request.expiry.WhichOneof("change")
        arguments = (
            precondition,
            version,
            change or "keep",
            request.expiry.ttl.ToMicroseconds() if change == "ttl" else 0,
            int(request.HasField("metadata")),
            request.metadata.SerializeToString() if request.HasField("metadata") else b"",
            request.data,
        )
        with self._noted_if_lost(request.tenant, name):
            applied, written, expiry = await self._try(keys, arguments, listed=False)
            if applied == _LISTED_FIRST:
                await self._index.list(request.tenant, name)
                applied, written, expiry = await self._try(keys, arguments, listed=True)
        if applied and expiry:
            self._index.note(request.tenant, name, int(expiry))
        return bool(applied), int(written)

    @contextmanager
    def _noted_if_lost(self, tenant: str, name: bytes) -> Iterator[None]:
        """Has a name looked at when the answer was lost, or nobody waited for it: the value may have got an end."""
        try:
            yield
        except BaseException:
            self._index.note(tenant, name, None)
            raise

    async def _try(
        self, keys: tuple[bytes, bytes], arguments: tuple[bytes | str | int, ...], *, listed: bool
    ) -> tuple[int, bytes, bytes]:
        reply = await self._link.run(PUT, keys, (*arguments, int(listed)))
        applied, version, expiry = (*reply.value, b"")[:3]
        return applied, version, expiry

    async def _read(self, tenant: str, name: bytes) -> StoredValue | None:
        reply = await self._link.run(READ, self._index.value_keys(tenant, name), (1,))
        return None if reply.value is None else _value(name, *reply.value)

    async def _read_names(
        self, tenant: str, names: Sequence[bytes], query: ValueQuery, most: int, room: int
    ) -> Sequence[tuple[bytes, StoredValue | None]]:
        """Reads values by their names: `most`, up to the first that `room` bytes do not hold; None: there is none."""
        keys = [self._index.value_keys(tenant, name) for name in names]
        # The lengths come first: a page has 1 MiB, and what many names hold may be a thousand times that.
        heads = await asyncio.gather(*(self._link.run(READ, each, (0,)) for each in keys))
        found: list[tuple[bytes, StoredValue | None]] = []
        for name, head in zip(names, heads, strict=True):
            if head.value is None:
                self._index.note(tenant, name, None)
                found.append((name, None))
                continue
            most -= 1
            if query.keys_only:
                version, created, updated, expiry, metadata, _ = head.value
                found.append((name, _value(name, version, created, updated, expiry, metadata, b"")))
            else:
                room -= head.value[5]
                found.append((name, None))
            if room < 0 or most == 0:
                break
        if query.keys_only:
            return found
        reads = [self._link.run(READ, each, (1,)) for each in keys[: len(found)]]
        return [
            (name, None if body.value is None else _value(name, *body.value))
            for (name, _), body in zip(found, await asyncio.gather(*reads), strict=True)
        ]


def _value(
    name: bytes, version: bytes, created: bytes, updated: bytes, expiry: bytes, metadata: bytes, data: Any
) -> StoredValue:
    return StoredValue(
        key=name.decode(),
        data=data,
        version=int(version),
        metadata=ValueMetadata.FromString(metadata).entries,
        create_time=to_timestamp(int(created)),
        update_time=to_timestamp(int(updated)),
        expire_time=to_timestamp(int(expiry)) if expiry else None,
    )
