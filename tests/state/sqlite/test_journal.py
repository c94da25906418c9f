"""The journal and the logs tell one story, whatever has been moved from one to the other, and wherever it was cut."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from penstock.state.clock import StoreClock
from penstock.state.settings import StateSettings
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.journal_entry import Entry, pack, unpack
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.store import SqliteStore
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import Durability, RunState
from penstock.wire.errors import ResourceExhausted
from tests.state import entries as e

AGAIN = e.append_entry("run-0", e.token("again"), writer="again", number=1)


class Opened(NamedTuple):
    """Holds a store and what lies beneath it."""

    store: SqliteStore
    database: Database


@asynccontextmanager
async def opened(path: Path, synchronous: str = "normal") -> AsyncGenerator[Opened]:
    """Opens a store."""
    with open_database(path, synchronous=synchronous, boot_id="boot") as database:
        store = SqliteStore(database, StateSettings(), Durability.DURABILITY_PROCESS, StoreClock())
        await store.ownership.renew(e.OWNER, 60_000_000)
        yield Opened(store, database)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file is."""
    return tmp_path / "state.db"


@pytest.fixture(params=["normal", "full"])
def synchronous(request: pytest.FixtureRequest) -> str:
    """Whether commits are done on the loop, or synced by a thread."""
    mode: str = request.param
    return mode


async def record(store: SqliteStore, runs: int) -> list[str]:
    """Records runs, and returns their ids."""
    names = [f"run-{number}" for number in range(runs)]
    await asyncio.gather(*(store.runs.record(e.record_entry(name)) for name in names))
    return names


async def grow(store: SqliteStore, names: Sequence[str]) -> None:
    """Appends to runs, with entries that have no events among them."""
    entries = []
    for name in names:
        quiet = e.append_entry(name, writer="quiet")
        quiet.checkpoint = b"here"
        entries += [e.append_entry(name, e.token("a"), e.token("b")), quiet]
    await asyncio.gather(*(store.runs.append(entry) for entry in entries))


async def log_of(store: SqliteStore, name: str, after: int = 0) -> list[RunEvent]:
    """What a reader sees of a run from a cursor on, with nothing of it in the cache of recent events."""
    log = await store.runs.open_log(e.TENANT, name)
    assert log is not None
    state = await log.state()
    piece = await log.read(after, state.last_sequence, lifecycle_only=False, max_bytes=1 << 30)
    assert piece.read_to == state.last_sequence
    assert [event.sequence for event in piece.events] == list(range(after + 1, state.last_sequence + 1))
    return list(piece.events)


async def all_logs(store: SqliteStore, names: Sequence[str]) -> list[list[RunEvent]]:
    """Every log from several places on."""
    return [await log_of(store, name, after) for name in names for after in (0, 2, 3)]


def rows(path: Path, table: str) -> int:
    """How many rows a table has, as someone who reads the file from outside counts them."""
    connection = sqlite3.connect(path)
    (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(number)


async def test_moving_the_journal_changes_nothing_that_anybody_sees(path: Path, synchronous: str) -> None:
    """Neither logs from any cursor, nor records, nor what a repeat is answered; and then the journal is empty."""
    async with opened(path, synchronous) as (store, _):
        names = await record(store, 3)
        await grow(store, names)
        first = await store.runs.append(AGAIN)
        logs = await all_logs(store, names)
        records = [await store.runs.read(e.TENANT, name, run_only=False) for name in names]
        assert rows(path, "journal") > 0
        await store.folding.fold_all()
        assert rows(path, "journal") == 0
        assert await all_logs(store, names) == logs
        assert [await store.runs.read(e.TENANT, name, run_only=False) for name in names] == records
        second = await store.runs.append(AGAIN)
        assert (second.outcome, second.first_sequence) == (pb.APPEND_OUTCOME_REPEATED, first.first_sequence)
        await grow(store, names)
        assert len(await log_of(store, "run-0")) == 2 + 2 + 1 + 2


async def test_a_file_cut_at_any_moment_of_the_moving_is_put_in_order_when_it_is_opened(path: Path) -> None:
    """Also with some of the logs moved and the journal still whole: nothing is lost, and nothing is there twice.

    A file is cut where its process is killed: after one of its commits.
    """
    images: list[Path] = []

    def cut() -> None:
        images.append(path.with_name(f"image-{len(images)}.db"))
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{images[-1]}{suffix}")

    async with opened(path) as (store, database):
        names = await record(store, 150)
        await grow(store, names)
        first = await store.runs.append(AGAIN)
        logs = await all_logs(store, names)
        cut()
        database.after_commit(cut)
        await store.folding.fold_all()
    assert {(rows(image, "journal") > 0, rows(image, "logs")) for image in images} == {
        (True, 0),
        (True, 100),
        (False, 150),
    }
    for image in images:
        async with opened(image) as (store, _):
            assert await all_logs(store, names) == logs
            second = await store.runs.append(AGAIN)
            assert (second.outcome, second.first_sequence) == (pb.APPEND_OUTCOME_REPEATED, first.first_sequence)


async def test_what_is_moved_under_way_is_what_was_committed(path: Path, synchronous: str) -> None:
    """Entries that arrive while others are moved stay in the journal, and are found after them."""
    async with opened(path, synchronous) as (store, _):
        (name,) = await record(store, 1)
        await grow(store, [name])
        late = store.runs.append(e.append_entry(name, e.token("late")))
        await store.folding.fold_all()
        await late
        assert [event.token.text for event in await log_of(store, name, after=2)] == ["a", "b", "late"]
        await store.folding.fold_all()
        assert [event.token.text for event in await log_of(store, name, after=4)] == ["late"]


async def test_what_is_moved_under_way_is_not_what_comes_to_nothing(path: Path, synchronous: str) -> None:
    """Where a commit fails that others wait for, the entries of others are moved later, and its own never."""
    async with opened(path, synchronous) as (store, database):
        (name,) = await record(store, 1)
        await grow(store, [name])
        await limit_pages(database, 1)
        lost = store.runs.append(e.append_entry(name, e.token("x" * 500_000)))
        with pytest.raises(ResourceExhausted):
            await store.folding.fold_all()
        with pytest.raises(ResourceExhausted):
            await lost
        await limit_pages(database, 1 << 30)
        result = await store.runs.append(e.append_entry(name, e.token("kept")))
        assert result.first_sequence == 5
        await store.folding.fold_all()
        assert [event.token.text for event in await log_of(store, name, after=2)] == ["a", "b", "kept"]


async def test_the_journal_moves_on_by_itself_when_it_has_grown(path: Path, synchronous: str) -> None:
    """A process that writes for long neither keeps it all in memory nor all in the journal."""
    async with opened(path, synchronous) as (store, _):
        names = await record(store, 4)
        big = "x" * 250_000
        for _ in range(10):
            await asyncio.gather(*(store.runs.append(e.append_entry(name, e.token(big))) for name in names))
        while rows(path, "journal") > 4:
            await store.check()  # any commit gives the moving its turn
        assert rows(path, "logs") > 30
        for name in names:
            assert [len(event.token.text) for event in await log_of(store, name, after=2)] == [250_000] * 10


async def test_a_commit_that_fails_leaves_nothing_of_its_entries(path: Path, synchronous: str) -> None:
    """The numbers that it would have given are given to the next entries, in memory as in the file."""
    async with opened(path, synchronous) as (store, database):
        (name,) = await record(store, 1)
        await limit_pages(database, 1)
        lost = await asyncio.gather(
            *(store.runs.append(e.append_entry(name, e.token("x" * 500_000))) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(error, Exception) for error in lost)
        await limit_pages(database, 1 << 30)
        result = await store.runs.append(e.append_entry(name, e.token("kept")))
        assert result.first_sequence == 3
        assert [event.token.text for event in await log_of(store, name, after=2)] == ["kept"]
    async with opened(path, synchronous) as (store, _):
        assert [event.token.text for event in await log_of(store, name, after=2)] == ["kept"]


async def limit_pages(database: Database, pages: int) -> None:
    """Bounds the file as a full disk would."""
    await database.write(lambda transaction: list(transaction.connection.execute(f"PRAGMA max_page_count = {pages}")))


async def test_a_run_that_ends_in_the_journal_has_its_output_from_there(path: Path) -> None:
    """And from the log once it was moved there."""
    async with opened(path) as (store, _):
        (name,) = await record(store, 1)
        await store.runs.append(e.append_entry(name, e.token(), e.step_finished(output="the answer")))
        await store.runs.append(e.append_entry(name, e.run_finished(output_step="main"), step="", writer="owner"))
        outputs = []
        for _ in range(2):
            found = await store.runs.read(e.TENANT, name, run_only=True)
            assert found is not None
            assert found.run.state == RunState.RUN_STATE_SUCCEEDED
            outputs.append([part.text for part in found.run.output])
            await store.folding.fold_all()
        assert outputs == [["the answer"]] * 2


def test_entries_are_the_same_when_they_are_unpacked() -> None:
    """Their heads can be read without their events."""
    entries = [
        Entry(7, 1, 1, 2, True, "writer-é", 12, 30, b"two events"),
        Entry(8, 3, 5, 4, False, "", 0, 30, b""),
        Entry(7, 2, 3, 3, False, "w", 2**62, 2**40, b"x"),
    ]
    heads, events = pack(entries)
    assert list(unpack(heads, events)) == entries
    assert list(unpack(heads, None)) == [entry._replace(events=b"") for entry in entries]
