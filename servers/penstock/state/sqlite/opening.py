"""Opening a store's file: ours alone, in this program's version, and with what a crash has left behind put in order."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.state.sqlite import boot, schema
from penstock.state.sqlite.checkpointing import Checkpointing
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.file_lock import locked
from penstock.state.sqlite.folding import recover
from penstock.state.sqlite.migrating import migrate


@contextmanager
def open_database(path: Path, *, synchronous: str, boot_id: str) -> Iterator[Database]:
    """Opens a file for a block, making it where there is none, and leaves it marked as cleanly shut down.

    Raises RuntimeError when another process has it; ValueError for one that is not ours, too new or damaged, and on a
    full disk.
    """
    path = path.resolve()  # the lock belongs to the file, whatever link leads to it
    if not path.parent.is_dir():
        raise ValueError(f"there is no directory {str(path.parent)!r} for the store; make it, or name another file")
    path.touch(0o600)  # a file that is there keeps its mode; those that SQLite puts beside it get the same
    with (
        locked(path),
        _connected(path) as writer,
        _connected(path) as reader,
        _connected(path, timeout=0) as copier,
    ):
        with _failure_said(path):
            version = schema.prepare(writer, path)  # before anything is changed in a file that may not be ours
            if version < schema.VERSION:
                migrate(writer, path, version)
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute(f"PRAGMA synchronous = {synchronous}")
            boot.sync(writer)
            recover(writer)
            generation = boot.enter(writer, boot_id or boot.system_boot_id(), synchronous)
        database = Database(writer, reader, generation, synced=synchronous == "full")
        checkpointing = Checkpointing(database, copier, path.with_name(path.name + "-wal"))
        try:
            yield database
        finally:
            checkpointing.stop()
            database.close()
            boot.leave(writer)


@contextmanager
def _connected(path: Path, *, timeout: float = 5.0) -> Iterator[sqlite3.Connection]:
    # Other threads use one too, but never two at the same time.
    connection = sqlite3.connect(
        path, isolation_level=None, cached_statements=256, check_same_thread=False, timeout=timeout
    )
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # see `checkpointing`
        yield connection
    finally:
        connection.close()


@contextmanager
def _failure_said(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        match error.sqlite_errorcode & 0xFF:  # what is above that says more, and only the text is for people
            case sqlite3.SQLITE_FULL:
                told = f"the disk of {str(path)!r} is full; make room and start again"
            case sqlite3.SQLITE_CORRUPT:
                told = f"{str(path)!r} is damaged ({error}); keep a copy of it with its -wal, and go back to a backup"
            case _:
                told = f"{str(path)!r} can't be opened as a store: {error}"
        raise ValueError(told) from error
