"""Conversations on SQLite."""

import sqlite3
from collections.abc import Awaitable, Sequence

from penstock.state.clock import StoreClock, to_timestamp
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.sqlite.run_rows import first_unfinished
from penstock.state.sqlite.session_rows import SessionRow, append_messages, ensure_session, find_session, place_of
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

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock

    async def read(self, tenant: str, session_id: str) -> Session | None:
        """See SessionStore."""
        reader = self._database.reader
        row = reader.execute(
            "SELECT number, first_index, next_index, created_us, updated_us FROM sessions "
            "WHERE tenant = ? AND session_id = ?",
            (tenant, session_id),
        ).fetchone()
        if row is None:
            return None
        number, first_index, next_index, created_us, updated_us = row
        session = Session(
            session_id=session_id,
            first_index=first_index,
            next_index=next_index,
            create_time=to_timestamp(created_us),
            update_time=to_timestamp(updated_us),
        )
        data = reader.execute("SELECT version, data_json FROM session_data WHERE session = ?", (number,)).fetchone()
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
            row = connection.execute(
                "SELECT number, version FROM sessions LEFT JOIN session_data ON session = number "
                "WHERE tenant = ? AND session_id = ?",
                (request.tenant, request.session_id),
            ).fetchone()
            current = 0 if row is None else row[1] or 0
            if request.HasField("expected_version") and request.expected_version != current:
                return UpdateSessionResponse(applied=False, version=current)
            now_us = self._clock.now_us()
            number = ensure_session(connection, request.tenant, request.session_id, now_us).number
            version = max(current + 1, now_us)
            connection.execute(
                "INSERT OR REPLACE INTO session_data VALUES (?, ?, ?)", (number, version, request.data_json)
            )
            connection.execute("UPDATE sessions SET updated_us = ? WHERE number = ?", (now_us, number))
            return UpdateSessionResponse(applied=True, version=version)

        return self._database.write(operation)

    def append(self, request: AppendMessagesRequest) -> Awaitable[AppendMessagesResponse]:
        """See SessionStore."""

        def operation(transaction: Transaction) -> AppendMessagesResponse:
            connection = transaction.connection
            found = find_session(connection, request.tenant, request.session_id)
            next_index = 0 if found is None else found.next_index
            if (
                request.HasField("expected_index")
                and request.expected_index != next_index
                and not (found is not None and _all_there(connection, found, request.messages))
            ):
                return AppendMessagesResponse(applied=False, next_index=next_index)
            now_us = self._clock.now_us()
            session = ensure_session(connection, request.tenant, request.session_id, now_us)
            indexes, next_index = append_messages(connection, session, request.messages, now_us)
            return AppendMessagesResponse(applied=True, indexes=indexes, next_index=next_index)

        return self._database.write(operation)

    async def messages(self, request: ReadMessagesRequest, limit: int, max_bytes: int) -> ReadMessagesResponse:
        """See SessionStore."""
        until = request.before_index if request.HasField("before_index") else 2**63 - 1
        rows = self._database.reader.execute(
            "SELECT body FROM messages JOIN sessions ON session = number WHERE tenant = ? AND session_id = ? "
            f"AND place >= ? AND place < ? ORDER BY place {'DESC' if request.newest_first else 'ASC'}",
            (request.tenant, request.session_id, min(request.from_index, 2**63 - 1), min(until, 2**63 - 1)),
        )
        response = ReadMessagesResponse()
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
            found = find_session(connection, tenant, session_id)
            if found is None:
                return DropOutcome.DROP_OUTCOME_NOT_FOUND
            row = (found.number,)
            connection.execute("DELETE FROM messages WHERE session = ?", row)
            connection.execute("DELETE FROM session_data WHERE session = ?", row)
            connection.execute("DELETE FROM sessions WHERE number = ?", row)
            return DropOutcome.DROP_OUTCOME_DROPPED

        return self._database.write(operation)


def _all_there(connection: sqlite3.Connection, session: SessionRow, messages: Sequence[SessionMessage]) -> bool:
    return all(place_of(connection, session.number, message.message_id) is not None for message in messages)
