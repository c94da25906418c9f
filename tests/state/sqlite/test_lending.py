"""While the file is in another thread's hands the loop goes on, and nothing is lost, seen early, or done twice."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.state.sqlite.database import Database
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.transaction import Transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "state.db"


@pytest.fixture(params=["normal", "full"])
def database(request: pytest.FixtureRequest, path: Path) -> Iterator[Database]:
    """An empty database."""
    with open_database(path, synchronous=request.param, boot_id="boot") as database:
        yield database


class Borrower:
    """Has a database lent to a thread, until it is told to give it back."""

    def __init__(self, database: Database) -> None:
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self._return = threading.Event()
        self._loop = asyncio.get_running_loop()
        database.lend(self._work, lambda error: self.ended.set())

    def _work(self) -> None:
        self._loop.call_soon_threadsafe(self.began.set)
        assert self._return.wait(10)

    def give_back(self) -> None:
        """Gives it back."""
        self._return.set()


def put(key: str) -> Callable[[Transaction], object]:
    """An operation that writes a row."""
    return lambda transaction: transaction.connection.execute("INSERT INTO meta VALUES (?, 'x')", (key,))


def rows(database: Database) -> list[str]:
    """The rows written by `put`, as readers see them."""
    found = database.reader.execute("SELECT key FROM meta WHERE key LIKE 'row-%' ORDER BY key")
    return [key for (key,) in found]


async def test_writes_wait_for_a_borrower_and_then_share_one_commit(database: Database) -> None:
    """The loop and the reader are free all the time; then all that waited is done in order."""
    await database.write(put("row-1"))
    borrower = Borrower(database)
    await borrower.began.wait()
    writes = [database.write(put(f"row-{number}")) for number in (2, 3)]
    await asyncio.sleep(0)
    assert rows(database) == ["row-1"]
    assert not any(write.done() for write in writes)
    borrower.give_back()
    async with asyncio.timeout(10):
        await asyncio.gather(*writes)
    assert borrower.ended.is_set()
    assert rows(database) == ["row-1", "row-2", "row-3"]


async def test_a_write_that_is_given_up_before_it_was_begun_is_not_done(database: Database) -> None:
    """Nobody would hear of what it did."""
    borrower = Borrower(database)
    given_up, kept = database.write(put("row-1")), database.write(put("row-2"))
    given_up.cancel()
    borrower.give_back()
    async with asyncio.timeout(10):
        await kept
    assert rows(database) == ["row-2"]


async def test_a_borrower_waits_for_the_commit_that_is_open(database: Database) -> None:
    """It finds no transaction half done."""
    write = database.write(put("row-1"))
    borrower = Borrower(database)
    async with asyncio.timeout(10):
        await borrower.began.wait()
    assert write.done()
    assert rows(database) == ["row-1"]
    borrower.give_back()
    await borrower.ended.wait()


async def test_two_borrowers_come_one_after_the_other(database: Database) -> None:
    """And writes between them aren't forgotten."""
    first, second = Borrower(database), Borrower(database)
    write = database.write(put("row-1"))
    await first.began.wait()
    assert not second.began.is_set()
    first.give_back()
    second.give_back()
    async with asyncio.timeout(10):
        await second.ended.wait()
        await write
    assert rows(database) == ["row-1"]


async def test_what_was_written_when_the_store_is_closed_is_kept(path: Path) -> None:
    """Also what waits in the queue, or is on its way to the disk."""
    with open_database(path, synchronous="full", boot_id="boot") as database:
        writes = [database.write(put("row-1"))]
        database.flush()
        writes += [database.write(put(f"row-{number}")) for number in (2, 3)]
    assert all(write.done() for write in writes)
    with open_database(path, synchronous="full", boot_id="boot") as database:
        assert rows(database) == ["row-1", "row-2", "row-3"]


async def test_readers_see_a_synced_commit_together_with_all_that_follows_from_it(path: Path) -> None:
    """What is kept in memory of a commit, and what the file shows of it, change in one step of the loop."""
    with open_database(path, synchronous="full", boot_id="boot") as database:
        kept: list[str] = []

        def note(transaction: Transaction) -> None:
            put("row-1")(transaction)
            transaction.on_commit(lambda: kept.append("committed"))

        write = database.write(note)
        database.flush()
        outside = sqlite3.connect(path)
        until = time.monotonic() + 10
        # The loop stands still meanwhile: it is the other thread that commits.
        while not outside.execute("SELECT 1 FROM meta WHERE key = 'row-1'").fetchall():
            assert time.monotonic() < until
        outside.close()
        assert (rows(database), kept) == ([], [])
        await write
        assert (rows(database), kept) == (["row-1"], ["committed"])


async def test_a_write_may_raise_anything(database: Database) -> None:
    """Its neighbours and the next ones are not held up."""

    def stop(transaction: Transaction) -> None:
        raise StopIteration

    neighbour, stopped = database.write(put("row-1")), database.write(stop)
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await stopped
        await neighbour
        await database.write(put("row-2"))
    assert rows(database) == ["row-1", "row-2"]
