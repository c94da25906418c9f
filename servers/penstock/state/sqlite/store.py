"""The store on one SQLite file, put together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from penstock.state.clock import StoreClock
from penstock.state.settings import StateSettings
from penstock.state.sqlite.database import Database, Transaction, open_database
from penstock.state.sqlite.ending import Ending
from penstock.state.sqlite.heads import HeadCache
from penstock.state.sqlite.hub import Hub
from penstock.state.sqlite.leases import prolong_leases
from penstock.state.sqlite.log_writer import SqliteLogWriter
from penstock.state.sqlite.ownership import SqliteOwnership
from penstock.state.sqlite.recent import RecentRuns
from penstock.state.sqlite.recorder import Recorder
from penstock.state.sqlite.runs import SqliteRuns
from penstock.state.sqlite.schema import read_meta, write_meta
from penstock.state.sqlite.sessions import SqliteSessions
from penstock.state.sqlite.values import SqliteValues
from penstock.state.sqlite.waiters import Waiters
from penstock.v1.run_pb2 import Durability
from penstock.wire.errors import Internal


class SqliteStore:
    """Keeps everything in one file."""

    def __init__(self, database: Database, settings: StateSettings, keeps: Durability, clock: StoreClock) -> None:
        hub = Hub()
        waiters = Waiters()
        heads = HeadCache(settings.max_cached_runs)
        recent = RecentRuns(settings.max_cached_runs)
        log = SqliteLogWriter(heads, hub, recent, clock, settings, keeps, waiters.wake)
        ending = Ending(heads, hub, log)
        recorder = Recorder(heads, log, ending, clock, keeps, database.generation, waiters.wake)
        self.values = SqliteValues(database, clock)
        self.sessions = SqliteSessions(database, clock)
        self.runs = SqliteRuns(database, hub, recent, log, recorder)
        self.ownership = SqliteOwnership(database, heads, ending, clock, waiters)
        self._database = database
        self._clock = clock

    async def check(self) -> str:
        """See Store."""
        now_us = self._clock.now_us()

        def operation(transaction: Transaction) -> None:
            write_meta(transaction.connection, "checked_us", now_us)

        await self._database.write(operation)
        found = read_meta(self._database.reader, "checked_us")
        if not isinstance(found, int) or found < now_us:
            raise Internal(f"the store has lost a write: wrote {now_us}, read {found}")
        return f"wrote and read in {(self._clock.now_us() - now_us) / 1000:.1f} ms"


@asynccontextmanager
async def open_sqlite(path: Path, synchronous: str, settings: StateSettings) -> AsyncGenerator[SqliteStore]:
    """Opens a file as a store for a block.

    Raises RuntimeError when another process has it, ValueError when it is not ours or too new.
    """
    keeps = Durability.DURABILITY_POWER if synchronous == "full" else Durability.DURABILITY_PROCESS
    with open_database(path, synchronous=synchronous, boot_id=settings.boot_id) as database:
        clock = StoreClock()
        await database.write(lambda transaction: prolong_leases(transaction.connection, clock.now_us()))
        yield SqliteStore(database, settings, keeps, clock)
