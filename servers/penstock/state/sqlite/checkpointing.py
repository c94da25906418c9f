"""Keeping the -wal file short without holding up the event loop."""

import asyncio
import logging
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Final

from penstock.state.sqlite.database import Database

_LOGGER: Final = logging.getLogger(__name__)

# From how many bytes on it is shortened; how few may be left to be copied while nothing is written, and how often it is
# tried to come down to that.
_LONG: Final = 8 * 1024 * 1024
_FEW: Final = 256 * 1024
_PASSES: Final = 4
# How far writing may run ahead of one pass before it waits for the pass's end: a disk may be slow.
_AHEAD: Final = 24 * 1024 * 1024


class Checkpointing:
    """Copies what is committed into the file while writing goes on, and cuts the -wal off in a moment in which it
    doesn't: copying alone never catches up with a busy writer.

    Both are other threads' work, so that nobody but the writes waits, and they for the last few pages only.
    `connection` is for this alone, and waits for nobody: who reads the file from outside may do so for long.
    """

    def __init__(self, database: Database, connection: sqlite3.Connection, wal: Path) -> None:
        self._database = database
        self._connection = connection
        self._wal = wal
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="penstock-checkpoint")
        self._long = _LONG
        self._copying: Future[None] | None = None
        self._at_work = False
        self._stopped = False
        database.after_commit(self._look)

    def stop(self) -> None:
        """Waits for what is going on, and begins nothing more."""
        self._stopped = True
        self._thread.shutdown()

    def _look(self) -> None:
        if not self._at_work and self._size() > self._long:
            self._at_work = True
            self._copy(1)
        elif self._copying is not None and self._size() > self._long + _AHEAD:
            # Writes alone wait, while the loop goes on; the pass's own failure is looked at when it ends.
            self._database.lend(partial(wait, [self._copying]), lambda error: None)
            self._copying = None

    def _copy(self, number: int) -> None:
        self._copying = self._thread.submit(self._checkpoint, "PASSIVE")
        work = asyncio.wrap_future(self._copying)
        work.add_done_callback(partial(self._copied, number, self._size()))

    def _copied(self, number: int, before: int, work: asyncio.Future[None]) -> None:
        self._copying = None
        error = work.exception()
        if error is not None or self._stopped:
            self._ended(error)
        elif self._size() - before > _FEW and number < _PASSES:
            self._copy(number + 1)
        else:
            self._database.lend(partial(self._checkpoint, "TRUNCATE"), self._ended)

    def _checkpoint(self, mode: str) -> None:
        if not self._stopped:
            self._connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()

    def _ended(self, error: BaseException | None) -> None:
        if error is not None:
            _LOGGER.warning("the -wal file could not be shortened; this is tried again later: %s", error)
        # Where it is as long as before, because of someone who reads from outside, it may grow on for a while.
        self._long = max(_LONG, self._size() + _LONG)
        self._at_work = False

    def _size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0
