"""Care for a store on SQLite."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from functools import partial
from pathlib import Path
from typing import Final

from penstock.state.care import RecordKind, RecordName
from penstock.state.clock import StoreClock
from penstock.state.sqlite import import_rows, import_runs
from penstock.state.sqlite.checking import look_over
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.export_rows import exported_run, exported_topic, exported_topic_events, record_names
from penstock.state.sqlite.folding import Folding
from penstock.state.sqlite.looking import looked_at
from penstock.state.sqlite.session_rows import SessionRows
from penstock.state.sqlite.statistics import statistics
from penstock.state.sqlite.transaction import Transaction
from penstock.state.sqlite.vacuuming import vacuum
from penstock.state.stores import Page
from penstock.v1.run_pb2 import Durability
from penstock.v1.state_admin_pb2 import (
    CheckStoreResponse,
    ExportedEvents,
    ExportedMessages,
    ExportedRun,
    ExportedSession,
    ExportedTopic,
    ExportedTopicEvents,
    ExportedValue,
    GetStoreStatsResponse,
    VacuumStoreResponse,
)

_HEARTBEAT: Final = 2.0


class SqliteCare:
    """Looks at a file as a whole, and writes records as they were."""

    def __init__(
        self,
        database: Database,
        folding: Folding,
        clock: StoreClock,
        keeps: Durability,
        rows: SessionRows,
        turn_came: Callable[[], None],
        count_anew: Callable[[], None],
    ) -> None:
        self._database = database
        self._folding = folding
        self._clock = clock
        self._keeps = keeps
        self._rows = rows
        self._turn_came = turn_came
        self._count_anew = count_anew
        ((_, _, path),) = database.reader.execute("PRAGMA database_list").fetchall()
        self._path = Path(path)

    def now_us(self) -> int:
        """See StoreCare."""
        return self._clock.now_us()

    async def stats(self) -> GetStoreStatsResponse:
        """See StoreCare."""
        look = partial(statistics, self._path, self._keeps, self._clock.now_us())
        # In another thread, because counting looks at every row.
        return await asyncio.to_thread(_with_connection, self._path, look)

    async def check(self) -> AsyncGenerator[CheckStoreResponse]:
        """See StoreCare."""
        # What runs have said since is in the journal, which shows that it is whole by being opened.
        await self._folding.fold_all()
        async with aclosing(looked_at(self._path, look_over, _HEARTBEAT)) as found:
            async for response in found:
                yield response or CheckStoreResponse()

    def vacuum(self) -> AsyncGenerator[VacuumStoreResponse]:
        """See StoreCare."""
        return vacuum(self._database, self._path)

    async def names(self, kind: RecordKind, after: bytes, limit: int) -> Page[RecordName]:
        """See StoreCare."""
        return record_names(self._database.reader, kind, after, limit)

    async def run(self, tenant: str, run_id: str) -> ExportedRun | None:
        """See StoreCare."""
        return exported_run(self._database.reader, tenant, run_id)

    async def topic(self, tenant: str, topic: str) -> ExportedTopic | None:
        """See StoreCare."""
        return exported_topic(self._database.reader, tenant, topic)

    async def topic_events(self, tenant: str, topic: str, after: int, max_bytes: int) -> ExportedTopicEvents:
        """See StoreCare."""
        return exported_topic_events(self._database.reader, tenant, topic, after, max_bytes)

    async def add_value(self, value: ExportedValue) -> bool:
        """See StoreCare."""
        return await self._database.write(
            lambda transaction: import_rows.add_value(transaction.connection, value, self._clock.now_us())
        )

    async def add_session(self, session: ExportedSession) -> bool:
        """See StoreCare."""
        return await self._database.write(
            lambda transaction: import_rows.add_session(
                transaction.connection, self._rows, session, self._clock.now_us()
            )
        )

    async def forward_session(self, session: ExportedSession) -> None:
        """See StoreCare."""
        await self._database.write(
            lambda transaction: import_rows.forward_session(
                transaction.connection, self._rows, session, self._clock.now_us()
            )
        )

    async def add_messages(self, messages: ExportedMessages) -> None:
        """See StoreCare."""
        await self._database.write(
            lambda transaction: import_rows.add_messages(
                transaction.connection, self._rows, messages, self._clock.now_us()
            )
        )

    async def add_events(self, events: ExportedEvents) -> bool:
        """See StoreCare."""
        return await self._database.write(
            lambda transaction: import_runs.add_events(transaction.connection, events, self._clock.now_us())
        )

    async def add_run(self, run: ExportedRun) -> None:
        """See StoreCare."""

        def operation(transaction: Transaction) -> None:
            self._count_anew()
            transaction.on_commit(self._count_anew)
            import_runs.add_run(transaction.connection, run)
            transaction.on_done(self._turn_came)

        await self._database.write(operation)

    async def add_topic(self, topic: ExportedTopic) -> bool:
        """See StoreCare."""
        return await self._database.write(
            lambda transaction: import_rows.add_topic(transaction.connection, topic, self._clock.now_us())
        )

    async def add_topic_events(self, events: ExportedTopicEvents) -> bool:
        """See StoreCare."""
        return await self._database.write(
            lambda transaction: import_rows.add_topic_events(transaction.connection, events)
        )

    async def sweep(self) -> bool:
        """Drops some of what imports have left unfinished; True: there may be more."""
        now_us = self._clock.now_us()
        if not import_runs.has_forgotten_events(self._database.reader, now_us):
            return False
        return await self._database.write(
            lambda transaction: import_runs.drop_forgotten_events(transaction.connection, now_us)
        )


def _with_connection(path: Path, look: Callable[[sqlite3.Connection], GetStoreStatsResponse]) -> GetStoreStatsResponse:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as connection:
        return look(connection)
