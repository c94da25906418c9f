"""Group commit: one failure undoes only itself, one failed commit undoes all that it covers."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.state.clock import StoreClock
from penstock.state.open_store import open_store
from penstock.state.settings import StateSettings
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.store import SqliteStore
from penstock.state.sqlite.transaction import Transaction
from penstock.v1.run_pb2 import Durability
from penstock.wire.errors import ResourceExhausted, Unavailable
from tests.state import entries as e


@pytest.fixture(params=["normal", "full"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database, whose commits are done on the loop, or synced by another thread."""
    with open_database(tmp_path / "state.db", synchronous=request.param, boot_id="boot") as database:
        yield database


def put(key: str) -> Callable[[Transaction], object]:
    """An operation that writes a row."""
    return lambda transaction: transaction.connection.execute("INSERT INTO meta VALUES (?, 'x')", (key,))


def rows(database: Database) -> list[str]:
    """The rows written by `put`, as readers see them."""
    found = database.reader.execute("SELECT key FROM meta WHERE key LIKE 'row-%' ORDER BY key")
    return [key for (key,) in found]


async def test_a_write_is_seen_only_once_it_is_committed(database: Database) -> None:
    """All writes of one turn of the loop become visible together."""
    first, second = database.write(put("row-1")), database.write(put("row-2"))
    assert rows(database) == []
    await first
    assert second.done()
    assert rows(database) == ["row-1", "row-2"]


async def test_an_unprotected_write_that_raises_before_it_changed_anything_fails_alone(database: Database) -> None:
    """Its neighbours in the commit are kept."""

    def refuse(transaction: Transaction) -> None:
        raise LookupError("no")

    kept, refused, kept_too = database.write(put("row-1")), database.write(refuse, protected=False), put("row-2")
    await database.write(kept_too, protected=False)
    await kept
    with pytest.raises(LookupError):
        await refused
    assert rows(database) == ["row-1", "row-2"]


async def test_an_unprotected_write_that_raises_after_a_change_fails_with_all_that_share_its_commit(
    database: Database,
) -> None:
    """Nothing of a half-done write is ever committed, at the price of its neighbours; the next commit is sound."""

    def fail(transaction: Transaction) -> None:
        put("row-2")(transaction)
        raise LookupError("no")

    neighbour, failed = database.write(put("row-1")), database.write(fail, protected=False)
    with pytest.raises(Unavailable):
        await neighbour
    with pytest.raises(Unavailable):
        await failed
    assert rows(database) == []
    await database.write(put("row-3"))
    assert rows(database) == ["row-3"]


async def test_a_write_that_protects_itself_is_undone_alone(database: Database) -> None:
    """From the first change after the protection on."""

    def fail(transaction: Transaction) -> None:
        transaction.protect()
        put("row-2")(transaction)
        raise LookupError("no")

    neighbour, failed = database.write(put("row-1"), protected=False), database.write(fail, protected=False)
    await neighbour
    with pytest.raises(LookupError):
        await failed
    assert rows(database) == ["row-1"]


async def test_what_a_write_wants_done_after_the_commit_is_done_only_if_it_was_not_undone(database: Database) -> None:
    """It is done before the write is answered, and never for a write that raised."""
    told: list[str] = []

    def succeed(transaction: Transaction) -> None:
        transaction.on_commit(lambda: told.append("kept"))

    def fail(transaction: Transaction) -> None:
        transaction.on_commit(lambda: told.append("lost"))
        raise LookupError("no")

    kept, lost = database.write(succeed), database.write(fail)
    assert told == []
    kept.add_done_callback(lambda _: told.append("answered"))
    await kept
    with pytest.raises(LookupError):
        await lost
    assert told == ["kept", "answered"]


async def test_a_write_that_raises_undoes_itself_alone(database: Database) -> None:
    """What it had written is gone, its undo is done, and its neighbours in the commit are kept."""
    undone: list[str] = []

    def fail(transaction: Transaction) -> None:
        transaction.on_undo(lambda: undone.append("failed"))
        transaction.connection.execute("INSERT INTO meta VALUES ('row-2', 1)")
        raise LookupError("no")

    def succeed(transaction: Transaction) -> None:
        transaction.on_undo(lambda: undone.append("succeeded"))
        transaction.connection.execute("INSERT INTO meta VALUES ('row-1', 1)")

    results = await asyncio.gather(
        database.write(succeed),
        database.write(fail),
        database.write(put("row-3")),
        return_exceptions=True,
    )
    assert isinstance(results[1], LookupError)
    assert rows(database) == ["row-1", "row-3"]
    assert undone == ["failed"]


async def test_a_reader_that_fails_before_a_commit_costs_that_commit_alone(tmp_path: Path) -> None:
    """Where another thread syncs, readers are held back meanwhile; what keeps them from it must not hold for ever."""
    with open_database(tmp_path / "state.db", synchronous="full", boot_id="boot") as database:

        def refuse(action: int, *_: object) -> int:
            return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_SELECT else sqlite3.SQLITE_OK

        database.reader.set_authorizer(refuse)
        with pytest.raises(Unavailable):
            await database.write(put("row-1"))
        database.reader.set_authorizer(None)
        await database.write(put("row-2"))
        assert rows(database) == ["row-2"]


async def test_a_write_whose_caller_has_gone_is_committed_all_the_same(database: Database) -> None:
    """A cancelled future disturbs neither its write nor those beside it."""
    first, second = database.write(put("row-1")), database.write(put("row-2"))
    first.cancel()
    await second
    assert rows(database) == ["row-1", "row-2"]


async def test_a_full_disk_is_said_and_leaves_log_and_memory_in_step(database: Database) -> None:
    """RESOURCE_EXHAUSTED while there is no room; afterwards the log goes on without a gap."""
    store = SqliteStore(database, StateSettings(), Durability.DURABILITY_PROCESS, StoreClock())
    await store.ownership.renew(e.OWNER, 60_000_000)
    await store.runs.record(e.record_entry("run-1"))
    await limit_pages(database, 1)
    big = e.token("x" * 900_000)
    full = await asyncio.gather(
        store.runs.append(e.append_entry("run-1", e.token(), number=1, writer="w")),
        store.runs.append(e.append_entry("run-1", big, number=2, writer="w")),
        return_exceptions=True,
    )
    assert [type(error) for error in full] == [ResourceExhausted] * 2
    await limit_pages(database, 1 << 30)
    result = await store.runs.append(e.append_entry("run-1", e.token(), number=1, writer="w"))
    assert result.first_sequence == 3
    log = await store.runs.open_log(e.TENANT, "run-1")
    assert log is not None
    assert (await log.state()).last_sequence == result.last_sequence
    piece = await log.read(0, (await log.state()).last_sequence, lifecycle_only=False, max_bytes=1 << 30)
    assert [event.sequence for event in piece.events] == list(range(1, result.last_sequence + 1))


async def limit_pages(database: Database, pages: int) -> None:
    """Bounds the file as a full disk would; SQLite takes no bound below the present size."""
    await database.write(lambda transaction: transaction.connection.execute(f"PRAGMA max_page_count = {pages}"))


async def test_a_store_that_could_not_sync_its_writes_is_not_marked_as_cleanly_shut_down(tmp_path: Path) -> None:
    """Someone who reads the file from outside keeps the writes from moving into it: no mark vouches for them."""
    path = tmp_path / "state.db"
    outside = sqlite3.connect(path, isolation_level=None)
    with open_database(path, synchronous="normal", boot_id="boot") as database:
        await database.write(lambda transaction: transaction.connection.execute("PRAGMA busy_timeout = 0"))
        outside.execute("BEGIN")
        assert outside.execute("SELECT value FROM meta WHERE key = 'in_use'").fetchone() == (1,)
        await database.write(put("row-1"))
    outside.execute("COMMIT")
    assert outside.execute("SELECT value FROM meta WHERE key = 'in_use'").fetchone() == (1,)
    outside.close()


async def test_nobody_else_on_the_machine_can_read_a_new_store(database: Database, tmp_path: Path) -> None:
    """Conversations lie in it, and in the files beside it."""
    await database.write(put("row-1"))
    modes = modes_in(tmp_path)
    assert {"state.db", "state.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def modes_in(folder: Path) -> dict[str, int]:
    """Who may do what with each file of a folder."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """Nothing is changed in it, and the way out is named."""
    path = tmp_path / "state.db"
    with open_database(path, synchronous="normal", boot_id="boot"):
        pass
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE meta SET value = 99 WHERE key = 'schema_version'")
    connection.close()
    with (
        pytest.raises(ValueError, match="schema version 99, newer than"),
        open_database(path, synchronous="normal", boot_id="boot"),
    ):
        pass


@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE theirs (a)",
        "CREATE TABLE meta (a, b)",
        "CREATE TABLE meta (key, value)",
        "CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('schema_version', 0)",
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, theirs: str) -> None:
    """Another program's database isn't made ours, also with a table that is called as one of ours."""
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.executescript(theirs)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match="something else"), open_database(path, synchronous="normal", boot_id="boot"):
        pass
    assert path.read_bytes() == before


def test_a_damaged_file_is_refused_in_one_text(tmp_path: Path) -> None:
    """With what can be done about it; it stays as it was."""
    path = tmp_path / "state.db"
    with open_database(path, synchronous="normal", boot_id="boot"):
        pass
    damaged = bytearray(path.read_bytes())
    damaged[100:4096] = b"\xff" * 3996
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"damaged.*backup"), open_database(path, synchronous="normal", boot_id="boot"):
        pass
    assert path.read_bytes() == damaged


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A text, say; it stays as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 100)
    with pytest.raises(ValueError, match="something else"), open_database(path, synchronous="normal", boot_id="boot"):
        pass
    assert path.read_text() == "not a database\n" * 100


def test_a_file_is_locked_by_whatever_name_it_is_opened(tmp_path: Path) -> None:
    """A link to a store that is in use is refused as the store itself is."""
    path, link = tmp_path / "state.db", tmp_path / "link.db"
    link.symlink_to(path)
    with (
        open_database(path, synchronous="normal", boot_id="boot"),
        pytest.raises(RuntimeError, match="in use by process"),
        open_database(link, synchronous="normal", boot_id="boot"),
    ):
        pass


@pytest.mark.parametrize(
    "url",
    ["", "state.db", "mysql://localhost", "sqlite://host/x.db", "sqlite://", "sqlite:///x.db?synchronous=off"],
)
def test_an_address_that_names_no_store_is_refused_with_those_that_do(url: str) -> None:
    """The mistake and its mend stand in one message."""
    with pytest.raises(ValueError, match=r"sqlite:///relative\.db"):
        open_store(StateSettings(url=url))
