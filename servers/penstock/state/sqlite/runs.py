"""Runs and their logs on SQLite."""

from asyncio import Future

from penstock.state.sqlite.database import Database
from penstock.state.sqlite.hub import Hub
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.log_reader import SqliteRunLog
from penstock.state.sqlite.log_writer import SqliteLogWriter
from penstock.state.sqlite.recent import RecentRuns
from penstock.state.sqlite.recorder import Recorder
from penstock.state.sqlite.run_rows import read_record
from penstock.state.sqlite.run_search import find_runs
from penstock.state.stores import Page, RunQuery
from penstock.v1.run_log_pb2 import (
    AppendEventsEntry,
    AppendEventsResult,
    RecordRunsEntry,
    RecordRunsResult,
    RunRecord,
)
from penstock.v1.run_pb2 import Run


class SqliteRuns:
    """Keeps runs and their logs."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        hub: Hub,
        recent: RecentRuns,
        log: SqliteLogWriter,
        recorder: Recorder,
    ) -> None:
        self._database = database
        self._journal = journal
        self._hub = hub
        self._recent = recent
        self._log = log
        self._recorder = recorder

    def record(self, entry: RecordRunsEntry) -> Future[RecordRunsResult]:
        """See RunStore."""
        return self._database.write(lambda transaction: self._recorder.record(transaction, entry), protected=False)

    def append(self, entry: AppendEventsEntry) -> Future[AppendEventsResult]:
        """See RunStore."""
        return self._database.write(lambda transaction: self._log.append(transaction, entry), protected=False)

    async def read(self, tenant: str, run_id: str, *, run_only: bool) -> RunRecord | None:
        """See RunStore."""
        return read_record(self._database.reader, tenant, run_id, run_only=run_only)

    async def find(self, query: RunQuery) -> Page[Run]:
        """See RunStore."""
        return find_runs(self._database.reader, query)

    async def open_log(self, tenant: str, run_id: str) -> SqliteRunLog | None:
        """See RunStore."""
        reader = self._database.reader
        known = self._recent.get(tenant, run_id)
        if known is not None:
            number, generation = known.number, known.generation
        else:
            row = reader.execute(
                "SELECT number, head FROM runs WHERE tenant = ? AND run_id = ?", (tenant, run_id)
            ).fetchone()
            if row is None:
                return None
            number, head = row
            generation = RunRecord.FromString(head).run.generation
        return SqliteRunLog(reader, self._journal, self._hub, self._recent, number, (tenant, run_id), generation)
