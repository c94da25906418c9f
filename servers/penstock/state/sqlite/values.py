"""Values on SQLite."""

import sqlite3
from collections.abc import Awaitable
from dataclasses import dataclass

from penstock.state.clock import StoreClock, to_timestamp
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.stores import Page, ValueQuery
from penstock.v1.state_pb2 import (
    CompareAndSetValueRequest,
    CompareAndSetValueResponse,
    DeleteValueRequest,
    DeleteValueResponse,
    Expiry,
    SetValueRequest,
    StoredValue,
    ValueMetadata,
)

_COLUMNS = "key, version, created_us, updated_us, expire_us, metadata"
# What was deleted, or has expired, keeps its row and version, so that no version ever comes twice.
_LIVE = "live = 1 AND (expire_us IS NULL OR expire_us > ?)"


@dataclass(frozen=True, slots=True)
class _Present:
    """Represents what stands under a key; `version` is also that of a value which is gone, 0 if there never was one."""

    row: int | None
    live: bool
    version: int
    created_us: int
    expire_us: int | None
    metadata: bytes


class SqliteValues:
    """Keeps values."""

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, tenant: str, key: str) -> StoredValue | None:
        """See ValueStore."""
        row = self._database.reader.execute(
            f"SELECT {_COLUMNS}, data FROM stored_values WHERE tenant = ? AND key = ? AND {_LIVE}",
            (tenant, key.encode(), self._clock.now_us()),
        ).fetchone()
        return None if row is None else _value(*row)

    def set(self, request: SetValueRequest) -> Awaitable[int]:
        """See ValueStore."""

        def operation(transaction: Transaction) -> int:
            now_us = self._clock.now_us()
            present = _present(transaction.connection, request.tenant, request.key, now_us)
            return _put(transaction.connection, request, present, now_us)

        return self._database.write(operation)

    def delete(self, request: DeleteValueRequest) -> Awaitable[DeleteValueResponse]:
        """See ValueStore."""

        def operation(transaction: Transaction) -> DeleteValueResponse:
            now_us = self._clock.now_us()
            present = _present(transaction.connection, request.tenant, request.key, now_us)
            if not present.live:
                return DeleteValueResponse(deleted=False)
            if request.version and request.version != present.version:
                return DeleteValueResponse(deleted=False, current_version=present.version)
            transaction.connection.execute(
                "UPDATE stored_values SET live = 0, version = ?, updated_us = ?, expire_us = NULL, metadata = x'', "
                "data = x'' WHERE rowid = ?",
                (max(present.version + 1, now_us), now_us, present.row),
            )
            return DeleteValueResponse(deleted=True)

        return self._database.write(operation)

    def compare_and_set(self, request: CompareAndSetValueRequest) -> Awaitable[CompareAndSetValueResponse]:
        """See ValueStore."""

        def operation(transaction: Transaction) -> CompareAndSetValueResponse:
            now_us = self._clock.now_us()
            present = _present(transaction.connection, request.tenant, request.key, now_us)
            match request.WhichOneof("precondition"):
                case "version_is":
                    holds = present.live and present.version == request.version_is
                case "must_not_exist":
                    holds = not present.live
                case _:
                    holds = present.live
            if not holds:
                return CompareAndSetValueResponse(applied=False, version=present.version if present.live else 0)
            version = _put(transaction.connection, request, present, now_us)
            return CompareAndSetValueResponse(applied=True, version=version)

        return self._database.write(operation)

    async def list(self, tenant: str, query: ValueQuery) -> Page[StoredValue]:
        """See ValueStore."""
        conditions = f"tenant = ? AND key >= ? AND key > ? AND {_LIVE}"
        parameters: list[str | bytes | int] = [tenant, query.prefix, query.after, self._clock.now_us()]
        if query.prefix:
            # Keys are UTF-8, in which no byte is 0xff, so the last byte of a prefix can always be raised by one.
            conditions += " AND key < ?"
            parameters.append(query.prefix[:-1] + bytes([query.prefix[-1] + 1]))
        data = "x''" if query.keys_only else "data"
        rows = self._database.reader.execute(
            f"SELECT {_COLUMNS}, {data} FROM stored_values WHERE {conditions} ORDER BY key", parameters
        )
        values: list[StoredValue] = []
        size = 0
        try:
            for row in rows:
                value = _value(*row)
                size += value.ByteSize()
                if values and (len(values) == query.limit or size > query.max_bytes):
                    return Page(values, values[-1].key.encode())
                values.append(value)
        finally:
            rows.close()
        return Page(values, None)


def _present(connection: sqlite3.Connection, tenant: str, key: str, now_us: int) -> _Present:
    row = connection.execute(
        f"SELECT rowid, {_LIVE}, version, created_us, expire_us, metadata FROM stored_values "
        "WHERE tenant = ? AND key = ?",
        (now_us, tenant, key.encode()),
    ).fetchone()
    if row is None:
        return _Present(None, False, 0, now_us, None, b"")
    number, live, version, created_us, expire_us, metadata = row
    if not live:
        return _Present(number, False, version, now_us, None, b"")
    return _Present(number, True, version, created_us, expire_us, metadata)


def _put(
    connection: sqlite3.Connection,
    request: SetValueRequest | CompareAndSetValueRequest,
    present: _Present,
    now_us: int,
) -> int:
    version = max(present.version + 1, now_us)
    expire_us = _expire_us(request.expiry, present.expire_us, now_us)
    metadata = request.metadata.SerializeToString() if request.HasField("metadata") else present.metadata
    if present.row is None:
        connection.execute(
            "INSERT INTO stored_values VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?)",
            (request.tenant, request.key.encode(), version, now_us, now_us, expire_us, metadata, request.data),
        )
    else:
        connection.execute(
            "UPDATE stored_values SET version = ?, live = 1, created_us = ?, updated_us = ?, expire_us = ?, "
            "metadata = ?, data = ? WHERE rowid = ?",
            (version, present.created_us, now_us, expire_us, metadata, request.data, present.row),
        )
    return version


def _expire_us(expiry: Expiry, present_us: int | None, now_us: int) -> int | None:
    match expiry.WhichOneof("change"):
        case "ttl":
            return now_us + expiry.ttl.ToMicroseconds()
        case "never":
            return None
        case _:
            return present_us


def _value(
    key: bytes, version: int, created_us: int, updated_us: int, expire_us: int | None, metadata: bytes, data: bytes
) -> StoredValue:
    return StoredValue(
        key=key.decode(),
        data=data,
        version=version,
        metadata=ValueMetadata.FromString(metadata).entries,
        create_time=to_timestamp(created_us),
        update_time=to_timestamp(updated_us),
        expire_time=None if expire_us is None else to_timestamp(expire_us),
    )
