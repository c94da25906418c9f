"""The store on one SQLite file, put together."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from penstock.state.clock import StoreClock
from penstock.state.lifecycle_publisher import LifecyclePublisher
from penstock.state.settings import StateSettings
from penstock.state.sqlite.care import SqliteCare
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.ending import Ending
from penstock.state.sqlite.folding import Folding
from penstock.state.sqlite.heads import HeadCache
from penstock.state.sqlite.hub import Hub
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.leases import prolong_leases
from penstock.state.sqlite.limits import SqliteLimits
from penstock.state.sqlite.log_writer import SqliteLogWriter
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.outbox import SqliteOutbox
from penstock.state.sqlite.ownership import SqliteOwnership
from penstock.state.sqlite.recent import RecentRuns
from penstock.state.sqlite.recorder import Recorder
from penstock.state.sqlite.retention import Retention
from penstock.state.sqlite.runs import SqliteRuns
from penstock.state.sqlite.schema import read_meta, write_meta
from penstock.state.sqlite.session_expiry import SessionExpiry
from penstock.state.sqlite.session_rows import SessionRows
from penstock.state.sqlite.sessions import SqliteSessions
from penstock.state.sqlite.topic_sweep import TopicSweep, open_topics
from penstock.state.sqlite.topics import SqliteTopics
from penstock.state.sqlite.transaction import Transaction
from penstock.state.sqlite.value_expiry import ValueExpiry
from penstock.state.sqlite.values import SqliteValues
from penstock.state.waiters import Waiters
from penstock.v1.run_pb2 import Durability
from penstock.wire.errors import Internal


class SqliteStore:
    """Keeps everything in one file."""

    def __init__(self, database: Database, settings: StateSettings, keeps: Durability, clock: StoreClock) -> None:
        hub = Hub()
        waiters = Waiters()
        journal = Journal()
        journal.define(database)
        self.folding = Folding(database, journal)
        heads = HeadCache(settings.max_cached_runs, journal)
        recent = RecentRuns(settings.max_cached_runs)
        rows = SessionRows(heads, settings)
        log = SqliteLogWriter(heads, journal, hub, recent, clock, settings, keeps, waiters.wake, rows)
        ending = Ending(heads, hub, log)
        recorder = Recorder(heads, log, ending, clock, keeps, database.generation, waiters.wake, rows)
        self.values = SqliteValues(database, clock)
        self.sessions = SqliteSessions(database, clock, rows)
        self.runs = SqliteRuns(database, journal, hub, recent, log, recorder)
        self.ownership = SqliteOwnership(database, heads, ending, clock, waiters, rows)
        self.limits = SqliteLimits(database, clock)
        self.topics = SqliteTopics(database, clock, settings.max_topic_events)
        topic_sweep = TopicSweep(database, clock, self.topics.lives, settings.topic_retention)
        self.lifecycle = SqliteOutbox(database)
        retention = Retention(database, self.folding, recent, clock, settings)
        self.care = SqliteCare(database, self.folding, clock, keeps, rows, waiters.wake, retention.count_anew)
        self._database = database
        self._clock = clock
        # Each does a bounded piece and tells whether there is more.
        self._sweeps: list[Callable[[], Awaitable[bool]]] = [
            SessionExpiry(database, clock, rows).sweep,
            ValueExpiry(database, clock).sweep,
            self.limits.sweep,
            self.care.sweep,
            topic_sweep.sweep,
            retention.sweep,
        ]
        if settings.lifecycle_topic:
            self._sweeps.append(LifecyclePublisher(self.lifecycle, self.topics, settings.lifecycle_topic).publish)

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

    async def sweep(self) -> bool:
        """See Store."""
        more = False
        failure: Exception | None = None
        for sweep in self._sweeps:
            try:
                more |= await sweep()
            except Exception as error:
                failure = failure or error  # what one can't do, time asks of the others all the same
        if failure is not None:
            raise failure
        return more


@asynccontextmanager
async def open_sqlite(path: Path, synchronous: str, settings: StateSettings) -> AsyncGenerator[SqliteStore]:
    """Opens a file as a store for a block.

    Raises RuntimeError when another process has it, ValueError when it is not ours or too new.
    """
    keeps = Durability.DURABILITY_POWER if synchronous == "full" else Durability.DURABILITY_PROCESS
    with open_database(path, synchronous=synchronous, boot_id=settings.boot_id) as database:
        clock = StoreClock()
        await database.write(lambda transaction: prolong_leases(transaction.connection, clock.now_us()))
        await database.write(lambda transaction: open_topics(transaction.connection))
        yield SqliteStore(database, settings, keeps, clock)
