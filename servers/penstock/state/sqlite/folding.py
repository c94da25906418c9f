"""Moving the journal's entries to where logs lie for good, run by run."""

import asyncio
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Final

from penstock.state.sqlite.boot import sync
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.journal_entry import Entry, unpack
from penstock.state.sqlite.log_rows import insert_log, newest_moved
from penstock.state.sqlite.transaction import Transaction

_LOGGER: Final = logging.getLogger(__name__)

# Of one piece, which shares a commit with whatever arrives meanwhile: about two milliseconds. Where more arrives than
# that in the time, a piece is as much larger: else moving would never catch up, and what waits would fill the memory.
_MOST_ENTRIES: Final = 1000
_MOST_RUNS: Final = 100
_MOST_BYTES: Final = 512 * 1024
_MOST_ROWS: Final = 200


class Folding:
    """Moves what the journal has set aside in pieces, one a commit, and then deletes its rows.

    A crash in between is no matter: `recover` passes over what has been moved.
    """

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._moving: set[int] = set()
        self._at_work = False
        self._failed = False
        database.after_commit(self._go_on)

    async def fold_all(self) -> None:
        """Moves everything that is committed now."""
        while self._journal.aside_until:
            await self._database.write(self._fold)
        self._journal.set_aside()
        while self._journal.aside_until:
            await self._database.write(self._fold)

    def _go_on(self) -> None:
        if self._database.closed:
            return  # the next to open the file moves what is left
        if self._journal.overfull:
            self._journal.set_aside()
        if self._journal.aside_until and not self._at_work:
            self._at_work = True
            self._database.write(self._fold).add_done_callback(self._ended)

    def _ended(self, piece: asyncio.Future[None]) -> None:
        self._at_work = False
        error = piece.exception()
        if error is None:
            self._failed = False
            self._go_on()
        elif not self._failed:
            # Nothing is lost, and memory that isn't freed is bounded by what can still be written.
            self._failed = True
            _LOGGER.warning("the journal could not be moved, which each commit tries again: %s", error)

    def _fold(self, transaction: Transaction) -> None:
        runs: list[int] = []
        entries = size = 0
        pace = 1 + self._journal.size // _MOST_BYTES
        for run, log in self._journal.aside.items():
            if run in self._moving:
                continue
            if entries >= pace * _MOST_ENTRIES or size >= pace * _MOST_BYTES or len(runs) == pace * _MOST_RUNS:
                break
            insert_log(transaction.connection, log)
            runs.append(run)
            entries += len(log)
            size += sum(len(entry.events) for entry in log)
        if runs:
            self._moving.update(runs)
            transaction.on_undo(partial(self._moving.difference_update, runs))
            transaction.on_commit(partial(self._moved, runs))
        elif self._journal.aside_until:
            until = self._journal.aside_until
            deleted = transaction.connection.execute(
                "DELETE FROM journal WHERE number <= min(?, (SELECT min(number) FROM journal) + ?)",
                (until, _MOST_ROWS - 1),
            )
            if deleted.rowcount < _MOST_ROWS:
                transaction.on_commit(partial(self._journal.emptied, until))

    def _moved(self, runs: Sequence[int]) -> None:
        self._moving.difference_update(runs)
        self._journal.moved(runs)


def recover(connection: sqlite3.Connection) -> None:
    """Moves all that a process has left in its journal, before anything reads a log.

    Oldest first, in pieces that need little room of their own: the disk may be why the process has ended.
    """
    while _recover_some(connection):
        sync(connection)


def _recover_some(connection: sqlite3.Connection) -> bool:
    logs: dict[int, list[Entry]] = defaultdict(list)
    size = last = 0
    with closing(connection.execute("SELECT number, heads, events FROM journal ORDER BY number")) as rows:
        for number, heads, events in rows:
            for entry in unpack(heads, events):
                logs[entry.run].append(entry)
            last = number
            size += len(heads) + len(events)
            if size >= _MOST_BYTES:
                break
    if not last:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        for run, entries in logs.items():
            if connection.execute("SELECT 1 FROM runs WHERE number = ?", (run,)).fetchone() is None:
                continue  # removed since
            newest = next(newest_moved(connection, run), None)
            moved = 0 if newest is None else newest.number
            insert_log(connection, [entry for entry in entries if entry.number > moved])
        connection.execute("DELETE FROM journal WHERE number <= ?", (last,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True
