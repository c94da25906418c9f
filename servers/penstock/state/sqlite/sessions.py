"""Conversations on SQLite."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Sequence
from functools import partial

from penstock.state.clock import StoreClock, to_timestamp
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.sqlite.run_rows import first_unfinished
from penstock.state.sqlite.session_rows import SessionRow, SessionRows, note_use, place_of, retire
from penstock.v1.run_pb2 import RunState
from penstock.v1.session_pb2 import (
    AppendMessagesRequest,
    AppendMessagesResponse,
    DropOutcome,
    ReadMessagesRequest,
    ReadMessagesResponse,
    Session,
    SessionMessage,
    UpdateSessionRequest,
    UpdateSessionResponse,
)


class SqliteSessions:
    """Keeps conversations."""

    def __init__(self, database: Database, clock: StoreClock, rows: SessionRows) -> None:
        self._database = database
        self._clock = clock
        self._rows = rows

    async def read(self, tenant: str, session_id: str) -> Session | None:
        """See SessionStore."""
        reader = self._database.reader
        found = self._read(tenant, session_id)
        if found is None:
            return None
        created_us, updated_us = reader.execute(
            "SELECT created_us, updated_us FROM sessions WHERE number = ?", (found.number,)
        ).fetchone()
        session = Session(
            session_id=session_id,
            first_index=found.first_index,
            next_index=found.next_index,
            create_time=to_timestamp(created_us),
            update_time=to_timestamp(updated_us),
        )
        data = reader.execute(
            "SELECT version, data_json FROM session_data WHERE session = ?", (found.number,)
        ).fetchone()
        if data is not None:
            session.data_version, session.data_json = data
        runs = reader.execute(
            "SELECT run_id, state FROM runs WHERE tenant = ? AND session_id = ? AND session_id <> '' AND state < 4 "
            "ORDER BY number",
            (tenant, session_id),
        )
        for run_id, state in runs:
            if state == RunState.RUN_STATE_QUEUED:
                session.queued_runs += 1
            else:
                session.active_run_id = run_id
        return session

    def update(self, request: UpdateSessionRequest) -> Awaitable[UpdateSessionResponse]:
        """See SessionStore."""

        def operation(transaction: Transaction) -> UpdateSessionResponse:
            connection = transaction.connection
            now_us = self._clock.now_us()
            found = self._rows.find(connection, request.tenant, request.session_id, now_us)
            current = 0 if found is None else _data_version(connection, found.number)
            if request.HasField("expected_version") and request.expected_version != current:
                return UpdateSessionResponse(applied=False, version=current)
            number = self._rows.ensure(connection, request.tenant, request.session_id, now_us).number
            before = current or _version_before(connection, request.tenant, request.session_id)
            version = max(before + 1, now_us)
            connection.execute(
                "INSERT OR REPLACE INTO session_data VALUES (?, ?, ?)", (number, version, request.data_json)
            )
            connection.execute(
                "UPDATE sessions SET updated_us = ?, used_us = ? WHERE number = ?", (now_us, now_us, number)
            )
            return UpdateSessionResponse(applied=True, version=version)

        return self._database.write(operation)

    def append(self, request: AppendMessagesRequest) -> Awaitable[AppendMessagesResponse]:
        """See SessionStore."""

        def operation(transaction: Transaction) -> AppendMessagesResponse:
            connection = transaction.connection
            now_us = self._clock.now_us()
            name = request.tenant, request.session_id
            found = self._rows.find(connection, *name, now_us)
            next_index = 0 if found is None else found.next_index
            if (
                request.HasField("expected_index")
                and request.expected_index != next_index
                and not (found is not None and _all_there(connection, found, request.messages))
            ):
                return AppendMessagesResponse(applied=False, next_index=next_index)
            session = self._rows.ensure(connection, *name, now_us)
            indexes, next_index = self._rows.append(connection, name, session, request.messages, now_us)
            return AppendMessagesResponse(applied=True, indexes=indexes, next_index=next_index)

        return self._database.write(operation)

    async def messages(self, request: ReadMessagesRequest, limit: int, max_bytes: int) -> ReadMessagesResponse:
        """See SessionStore."""
        response = ReadMessagesResponse()
        found = self._read(request.tenant, request.session_id)
        if found is None:
            return response
        until = request.before_index if request.HasField("before_index") else found.next_index
        rows = self._database.reader.execute(
            "SELECT body FROM messages WHERE session = ? AND place >= ? AND place < ? "
            f"ORDER BY place {'DESC' if request.newest_first else 'ASC'}",
            # SQLite has no numbers above these; nor has a session messages there.
            (found.number, min(max(request.from_index, found.first_index), 2**63 - 1), min(until, 2**63 - 1)),
        )
        size = 0
        try:
            for (body,) in rows:
                size += len(body)
                if response.messages and (len(response.messages) == limit or size > max_bytes):
                    response.more = True
                    break
                response.messages.append(SessionMessage.FromString(body))
        finally:
            rows.close()
        return response

    def drop(self, tenant: str, session_id: str) -> Awaitable[DropOutcome]:
        """See SessionStore."""

        def operation(transaction: Transaction) -> DropOutcome:
            connection = transaction.connection
            if first_unfinished(connection, tenant, session_id) is not None:
                return DropOutcome.DROP_OUTCOME_BUSY
            now_us = self._clock.now_us()
            found = self._rows.find(connection, tenant, session_id, now_us)
            retire(connection, tenant, session_id, now_us)
            return DropOutcome.DROP_OUTCOME_NOT_FOUND if found is None else DropOutcome.DROP_OUTCOME_DROPPED

        return self._database.write(operation)

    def _read(self, tenant: str, session_id: str) -> SessionRow | None:
        """Finds a session for a reader, which counts as a use of it."""
        now_us = self._clock.now_us()
        found = self._rows.find(self._database.reader, tenant, session_id, now_us)
        if found is not None and self._rows.used_long_ago(found, now_us):
            # Nobody waits for this, and if it fails, the next reader does it.
            noted = self._database.write(partial(_note_use, found.number, now_us))
            noted.add_done_callback(asyncio.Future.exception)
        return found


def _note_use(number: int, now_us: int, transaction: Transaction) -> None:
    note_use(transaction.connection, number, now_us)


def _data_version(connection: sqlite3.Connection, number: int) -> int:
    row = connection.execute("SELECT version FROM session_data WHERE session = ?", (number,)).fetchone()
    return 0 if row is None else int(row[0])


def _version_before(connection: sqlite3.Connection, tenant: str, session_id: str) -> int:
    row = connection.execute(
        "SELECT version FROM session_versions WHERE tenant = ? AND session_id = ?", (tenant, session_id)
    ).fetchone()
    return 0 if row is None else int(row[0])


def _all_there(connection: sqlite3.Connection, session: SessionRow, messages: Sequence[SessionMessage]) -> bool:
    return all(place_of(connection, session, message.message_id) is not None for message in messages)
