"""The outbox on SQLite: a mark in a run's row until its start, and one until its end, has been published."""

from collections.abc import Awaitable, Sequence
from typing import Final

from penstock.state.lifecycle import LifecycleNews
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.run_rows import LAST_SEQUENCE
from penstock.state.sqlite.transaction import Transaction
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import RUN_STATE_RUNNING

# Bits of the mark.
STARTED: Final = 1
ENDED: Final = 2

_PENDING: Final = (
    f"SELECT tenant, outbox, summary, head, {LAST_SEQUENCE} FROM runs JOIN specs ON run = number "
    "WHERE outbox <> 0 ORDER BY number LIMIT ?"
)


class SqliteOutbox:
    """Says which starts and ends of runs are still to be published."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pending(self, limit: int) -> Sequence[LifecycleNews]:
        """See LifecycleOutbox."""
        found: list[LifecycleNews] = []
        for tenant, marks, summary, head, last in self._database.reader.execute(_PENDING, (limit,)).fetchall():
            run = RunRecord.FromString(summary + head).run
            run.last_sequence = run.durable_sequence = last
            if marks & STARTED:
                found.append(LifecycleNews(tenant, run, RUN_STATE_RUNNING))
            if marks & ENDED:
                found.append(LifecycleNews(tenant, run, run.state))
        return found[:limit]

    def clear(self, news: Sequence[LifecycleNews]) -> Awaitable[None]:
        """See LifecycleOutbox."""
        rows = [(STARTED if one.state == RUN_STATE_RUNNING else ENDED, one.tenant, one.run.run_id) for one in news]

        def operation(transaction: Transaction) -> None:
            transaction.connection.executemany(
                "UPDATE runs SET outbox = outbox & ~? WHERE tenant = ? AND run_id = ?", rows
            )

        return self._database.write(operation)
