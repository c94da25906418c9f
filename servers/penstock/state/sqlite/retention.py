"""What goes with time: the events of runs that ended long ago, and at last the runs."""

import sqlite3
from functools import partial
from typing import Final, NamedTuple

from penstock.state.clock import StoreClock
from penstock.state.settings import StateSettings
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.folding import Folding
from penstock.state.sqlite.recent import RecentRuns
from penstock.state.sqlite.removal import remove_run
from penstock.state.sqlite.schema import read_meta, write_meta
from penstock.state.sqlite.transaction import Transaction
from penstock.state.sqlite.trimming import MOST_BYTES, trim_log

# Of one piece: a few milliseconds.
_MOST_RUNS: Final = 50
_MOST_COUNTED: Final = 5000

_ENDED_UNTIL: Final = (
    "SELECT finished_us, number, log_bytes, output_sequence, tenant, run_id FROM runs WHERE finished_us IS NOT NULL "
    "AND finished_us <= ? AND (finished_us, number) > (?, ?) ORDER BY finished_us, number LIMIT ?"
)
_COUNTED: Final = (
    "SELECT finished_us, number, log_bytes FROM runs WHERE finished_us IS NOT NULL "
    "AND (finished_us, number) > (?, ?) ORDER BY finished_us, number LIMIT ?"
)


class _Ended(NamedTuple):
    """Represents a run that has ended."""

    finished_us: int
    number: int
    log_bytes: int
    output_sequence: int
    tenant: str
    run_id: str


def trim_again_from(connection: sqlite3.Connection, finished_us: int, number: int) -> None:
    """Notes that there is a run to be trimmed which ended before others that are: it has come from another store."""
    if (finished_us, number) <= _trimmed_to(connection):
        write_meta(connection, "trimmed_us", finished_us)
        write_meta(connection, "trimmed_number", number - 1)


def _trimmed_to(connection: sqlite3.Connection) -> tuple[int, int]:
    us, number = (int(read_meta(connection, key) or 0) for key in ("trimmed_us", "trimmed_number"))
    return us, number


class Retention:
    """Trims logs by age and by size together, and removes runs by age: in the order in which they ended."""

    def __init__(
        self, database: Database, folding: Folding, recent: RecentRuns, clock: StoreClock, settings: StateSettings
    ) -> None:
        self._database = database
        self._folding = folding
        self._recent = recent
        self._clock = clock
        self._settings = settings
        # All up to this one are trimmed.
        self._trimmed = _trimmed_to(database.reader)
        # Of the others, up to the second: how many bytes their logs have.
        self._bytes = 0
        self._counted = self._trimmed
        self._anew = False

    def count_anew(self) -> None:
        """Hears that a run was added which may have ended before others; before that is committed, and after it."""
        self._anew = True

    async def sweep(self) -> bool:
        """Does a piece; True: there is more to do now."""
        return await self._trim() | await self._remove()

    async def _trim(self) -> bool:
        settings, now_us = self._settings, self._clock.now_us()
        if self._anew:
            self._anew = False
            self._trimmed = self._counted = _trimmed_to(self._database.reader)
            self._bytes = 0
        counting = self._count() if settings.max_finished_log_bytes else False
        until = now_us - round(settings.log_retention * 1e6) if settings.log_retention else -1
        over = 0 < settings.max_finished_log_bytes < self._bytes
        latest = now_us if over else until
        if not self._ended_until(self._database.reader, latest, self._trimmed):
            return counting
        await self._folding.fold_all()
        return await self._database.write(partial(self._trim_some, latest, until)) or counting

    def _trim_some(self, latest: int, until: int, transaction: Transaction) -> bool:
        """Trims a piece of the runs that are due by age, or while all together have too many bytes."""
        if self._anew:
            return True
        size, trimmed, went = self._bytes, self._trimmed, 0
        for run in self._ended_until(transaction.connection, latest, trimmed):
            if went >= MOST_BYTES or (run.finished_us > until and size <= self._settings.max_finished_log_bytes):
                break
            whole, bytes_gone = trim_log(transaction.connection, run.number, run.output_sequence)
            transaction.on_commit(partial(self._recent.forget, (run.tenant, run.run_id)))
            went += bytes_gone
            if not whole:
                break
            trimmed = (run.finished_us, run.number)
            if trimmed <= self._counted:
                size -= run.log_bytes
        write_meta(transaction.connection, "trimmed_us", trimmed[0])
        write_meta(transaction.connection, "trimmed_number", trimmed[1])
        transaction.on_commit(partial(self._have_trimmed, trimmed, size))
        return bool(went) or trimmed > self._trimmed

    def _have_trimmed(self, trimmed: tuple[int, int], size: int) -> None:
        self._trimmed, self._bytes = trimmed, size
        self._counted = max(self._counted, trimmed)

    def _count(self) -> bool:
        """Takes runs that have ended since the last time into account; True: there may be more."""
        rows = self._database.reader.execute(_COUNTED, (*self._counted, _MOST_COUNTED)).fetchall()
        if rows:
            self._bytes += sum(log_bytes for _, _, log_bytes in rows)
            self._counted = rows[-1][:2]
        return len(rows) == _MOST_COUNTED

    async def _remove(self) -> bool:
        if not self._settings.run_retention:
            return False
        until = self._clock.now_us() - round(self._settings.run_retention * 1e6)
        if not self._ended_until(self._database.reader, until, (0, 0)):
            return False
        await self._folding.fold_all()
        await self._database.write(partial(self._remove_some, until))
        return True

    def _remove_some(self, until: int, transaction: Transaction) -> None:
        went = 0
        size, trimmed = self._bytes, self._trimmed
        for run in self._ended_until(transaction.connection, until, (0, 0)):
            if went >= MOST_BYTES:
                break
            transaction.on_commit(partial(self._recent.forget, (run.tenant, run.run_id)))
            whole, bytes_gone = trim_log(transaction.connection, run.number, 0)
            went += bytes_gone
            if not whole:
                break
            remove_run(transaction.connection, run.number)
            if trimmed < (run.finished_us, run.number) <= self._counted:
                size -= run.log_bytes
            trimmed = max(trimmed, (run.finished_us, run.number))
        transaction.on_commit(partial(self._have_trimmed, trimmed, size))

    def _ended_until(self, connection: sqlite3.Connection, until: int, after: tuple[int, int]) -> list[_Ended]:
        return [_Ended(*row) for row in connection.execute(_ENDED_UNTIL, (until, *after, _MOST_RUNS))]
