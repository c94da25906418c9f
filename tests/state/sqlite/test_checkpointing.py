"""The -wal file stays short however long and much is written, and whoever reads from outside."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from penstock.state.sqlite.checkpointing import Checkpointing
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.opening import open_database

MIB = 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "state.db"


@pytest.fixture(params=["normal", "full"])
def database(request: pytest.FixtureRequest, path: Path) -> Iterator[Database]:
    """An empty database."""
    with open_database(path, synchronous=request.param, boot_id="boot") as database:
        yield database


def wal(path: Path) -> int:
    """Bytes in the -wal."""
    return path.with_name(path.name + "-wal").stat().st_size


async def write(database: Database, path: Path, commits: int) -> int:
    """Writes a quarter of a MiB with each commit, one right after the other; returns how long the -wal ever was."""
    longest = 0
    for _ in range(commits):
        await database.write(
            lambda transaction: transaction.connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('big', randomblob(?))", (MIB // 4,)
            )
        )
        longest = max(longest, wal(path))
    return longest


async def test_the_wal_stays_short_under_a_writer_that_never_rests(database: Database, path: Path) -> None:
    """What is written in all may be many times as much."""
    longest = await write(database, path, commits=400)
    assert 8 * MIB < longest < 40 * MIB


class SlowDisk:
    """Holds up what is asked of a connection until it is let go."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()
        self._connection = connection

    def execute(self, statement: str) -> sqlite3.Cursor:
        """Does it in the end."""
        self.asked.set()
        assert self.go_on.wait(20)
        return self._connection.execute(statement)


async def test_a_writer_waits_for_a_disk_that_is_too_slow_for_it(path: Path) -> None:
    """However long one pass takes, the -wal ends there and the loop goes on; then all goes on as before."""
    with ExitStack() as stack:
        writer, reader, copier = (
            stack.enter_context(closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)))
            for _ in range(3)
        )
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("CREATE TABLE meta (key PRIMARY KEY, value)")
        database, disk = Database(writer, reader, 1), SlowDisk(copier)
        checkpointing = Checkpointing(database, disk, path.with_name(path.name + "-wal"))  # type: ignore[arg-type] # what it uses of one
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            writing = group.create_task(write(database, path, commits=400))
            await asyncio.to_thread(disk.asked.wait, 20)
            while wal(path) < 32 * MIB:  # noqa: ASYNC110 - a file's growth is no event
                await asyncio.sleep(0)
            for _ in range(1000):
                await asyncio.sleep(0)
            assert not writing.done()
            assert wal(path) < 34 * MIB
            disk.go_on.set()
        assert writing.result() < 40 * MIB
        checkpointing.stop()
        database.close()


async def test_someone_who_reads_from_outside_makes_it_grow_but_holds_nobody_up(database: Database, path: Path) -> None:
    """And when they have gone it is cut down again."""
    await write(database, path, commits=4)
    outside = sqlite3.connect(path, isolation_level=None)
    outside.execute("BEGIN")
    assert outside.execute("SELECT count(*) FROM meta").fetchone() is not None
    async with asyncio.timeout(20):
        assert await write(database, path, commits=100) > 20 * MIB
    outside.execute("COMMIT")
    outside.close()
    async with asyncio.timeout(20):
        while wal(path) > 9 * MIB:
            await write(database, path, commits=1)
