"""A look at the file from another thread holds nobody up, and costs what is taken of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from penstock.state.sqlite.looking import looked_at

FOR_EVER = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT count(*) FROM numbers"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with nothing in it."""
    sqlite3.connect(tmp_path / "some.db").close()
    return tmp_path / "some.db"


async def test_what_nobody_takes_is_not_looked_for(path: Path) -> None:
    """The thread is a few steps ahead of its reader, however many there are to come."""
    seen = 0
    halted = threading.Event()

    def look(_: sqlite3.Connection) -> Iterator[int]:
        nonlocal seen
        while seen < 1000:
            yield seen
            seen += 1
        halted.set()

    async with asyncio.timeout(10), aclosing(looked_at(path, look, 5.0)) as found:
        assert await anext(found) == 0
        assert not await asyncio.to_thread(halted.wait, 0.2)
        assert seen < 100
        assert [one async for one in found] == list(range(1, 1000))


async def test_a_look_that_is_given_up_ends_in_silence(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Wherever it was: in the middle of a query, or waiting for somebody to take what it has."""

    def slow(connection: sqlite3.Connection) -> Iterator[int]:
        yield 1
        connection.execute(FOR_EVER).fetchone()

    def fast(_: sqlite3.Connection) -> Iterator[int]:
        yield from range(1000)

    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(10):
            for look in (slow, fast):
                async with aclosing(looked_at(path, look, 0.05)) as found:
                    await anext(found)
                    if look is slow:
                        assert await anext(found) is None
        gc.collect()
        await asyncio.sleep(0)  # for whatever the loop has to say of what was collected
    assert not caplog.records
