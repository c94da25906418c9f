"""Giving back to the system what a file does not use, a piece a commit."""

import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from penstock.state.sqlite.database import Database
from penstock.state.sqlite.transaction import Transaction
from penstock.v1.state_admin_pb2 import VacuumStoreResponse

_INCREMENTAL: Final = 2
# A piece moves as many pages from the end of the file to where others were; 256 KiB take about a millisecond.
_PAGES: Final = 64


async def vacuum(database: Database, path: Path) -> AsyncGenerator[VacuumStoreResponse]:
    """Gives unused pages back, and yields after each piece; see StoreCare."""
    reader = database.reader
    (page_size,) = reader.execute("PRAGMA page_size").fetchone()
    (mode,) = reader.execute("PRAGMA auto_vacuum").fetchone()
    left = _unused(reader)
    if mode != _INCREMENTAL and left:
        yield VacuumStoreResponse(
            left_bytes=left * page_size,
            note=f"{path} was made by a version whose files shrink only as a whole: stop penstockd and run "
            f"`sqlite3 '{path}' 'PRAGMA auto_vacuum = INCREMENTAL; VACUUM'`",
        )
        return
    freed = 0
    while left:
        await database.write(_give_some_back)
        now = _unused(reader)
        # What is deleted meanwhile is left for the next time, so that this comes to an end.
        freed += max(0, left - now)
        yield VacuumStoreResponse(freed_bytes=freed * page_size, left_bytes=now * page_size)
        if now >= left:
            return
        left = now
    yield VacuumStoreResponse(freed_bytes=freed * page_size)


def _give_some_back(transaction: Transaction) -> None:
    for _ in range(_PAGES):
        # For more pages at once SQLite wants to be stepped on, which Python does only where there are columns to fetch.
        transaction.connection.execute("PRAGMA incremental_vacuum(1)")


def _unused(reader: sqlite3.Connection) -> int:
    (pages,) = reader.execute("PRAGMA freelist_count").fetchone()
    return int(pages)
