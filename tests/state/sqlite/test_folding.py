"""Moving the journal keeps up with any load, and ends with the store."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

import pytest

from penstock.state.sqlite.folding import Folding
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.journal_entry import Entry
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.transaction import Transaction

BOUND = 256 * 1024


def held(journal: Journal) -> int:
    """What the journal has in memory, in bytes of events."""
    return journal.size + sum(len(entry.events) for entries in journal.aside.values() for entry in entries)


@pytest.mark.parametrize(("runs", "size"), [(30, 50_000), (2000, 100)], ids=["big events", "many runs"])
@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_what_is_in_memory_stays_bounded_however_much_each_commit_brings(
    tmp_path: Path, synchronous: str, runs: int, size: int
) -> None:
    """Where a commit brings more than a piece takes away, pieces grow with it."""
    most = 0
    with open_database(tmp_path / "state.db", synchronous=synchronous, boot_id="boot") as database:
        journal = Journal(BOUND)
        Folding(database, journal)

        def append(number: int, transaction: Transaction) -> None:
            for run in range(runs):
                journal.append(transaction, Entry(run, number, number, number, True, "w", number, 0, b"x" * size))

        for number in range(1, 26):
            async with asyncio.timeout(20):
                await database.write(partial(append, number))
            most = max(most, held(journal))
    assert most < 4 * BOUND + 6 * runs * (size + 400)


async def test_a_store_that_is_closed_while_it_moves_its_journal_says_nothing_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is left is moved by the next to open the file, so there is nothing to warn of."""
    with open_database(tmp_path / "state.db", synchronous="normal", boot_id="boot") as database:
        journal = Journal(1)
        Folding(database, journal)
        for number in range(1, 4):
            for run in range(50):
                entry = Entry(run, number, number, number, True, "w", number, 0, b"x" * 50_000)
                writing = database.write(partial(_append, journal, entry))
            await writing
    for _ in range(5):
        await asyncio.sleep(0)  # for what the last commit has left to the loop
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def _append(journal: Journal, entry: Entry, transaction: Transaction) -> None:
    journal.append(transaction, entry)
