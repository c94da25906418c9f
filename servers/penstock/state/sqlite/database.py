"""One SQLite file: a writer whose commits cover whatever arrived in one turn of the event loop, and a reader."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from penstock.state.sqlite import boot, schema
from penstock.state.sqlite.file_lock import locked
from penstock.wire.errors import PenstockError, ResourceExhausted, Unavailable

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Transaction:
    """Represents the transaction that is open, to the writes that share it."""

    connection: sqlite3.Connection
    undo: list[Callable[[], None]] = field(default_factory=list)
    committed: list[Callable[[], None]] = field(default_factory=list)
    done: dict[Callable[..., None], None] = field(default_factory=dict)
    broken_by: Exception | None = None
    protected: bool = False

    def protect(self) -> None:
        """Makes sure that this write, if it raises after it has changed something, is undone alone."""
        if not self.protected:
            self.connection.execute("SAVEPOINT one")
            self.protected = True

    def on_undo(self, action: Callable[[], None]) -> None:
        """Has an action done when this write, or the whole transaction, is undone."""
        self.undo.append(action)

    def on_commit(self, action: Callable[[], None]) -> None:
        """Has an action done after the commit, unless this write is undone; before any answer, in order."""
        self.committed.append(action)

    def on_done(self, action: Callable[[], None]) -> None:
        """Has an action done once after the commit, however many writes ask for it."""
        self.done[action] = None


@dataclass(slots=True, eq=False)
class _Pending:
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Database:
    """Writes by group commit on the event loop, and reads what is committed.

    A write does its SQL at once and is answered after the commit; if it raises, only it is undone. If the commit
    fails, all that it covers fail.
    """

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection, generation: int) -> None:
        self.reader = reader
        self.generation = generation
        self._writer = writer
        self._open: Transaction | None = None
        self._pending: list[_Pending] = []

    def write(self, operation: Callable[[Transaction], T], *, protected: bool = True) -> asyncio.Future[T]:
        """Does a write; the future has its result, or what it raised, once that is committed.

        One that is not `protected` saves two statements, and protects itself before the first change after which it may
        still raise. Should it fail between two changes all the same, all that share its commit fail with it.

        Raises (in the future): ResourceExhausted when the disk is full, Unavailable when the file can't be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        try:
            transaction = self._begin(loop)
        except sqlite3.Error as error:
            future.set_exception(_unwritten(error))
            return future
        undo_from = len(transaction.undo), len(transaction.committed)
        changes = self._writer.total_changes
        try:
            if protected:
                transaction.protect()
            result = operation(transaction)
            if transaction.protected:
                self._writer.execute("RELEASE one")
                transaction.protected = False
            self._pending.append(_Pending(future, result))
        except Exception as error:
            self._undo_one(transaction, undo_from, changes, error)
            shown = _unwritten(error) if isinstance(error, sqlite3.Error) else error
            self._pending.append(_Pending(future, error=shown))
        return future

    def flush(self) -> None:
        """Commits what is open, now."""
        transaction, self._open = self._open, None
        pending, self._pending = self._pending, []
        if transaction is None:
            return
        try:
            if transaction.broken_by is not None:
                raise transaction.broken_by
            self._writer.execute("COMMIT")
        except Exception as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            for action in reversed(transaction.undo):
                action()
            for waiting in pending:
                _fail(waiting.future, _unwritten(error))
            return
        for action in transaction.committed:
            action()
        for waiting in pending:
            if waiting.error is not None:
                _fail(waiting.future, waiting.error)
            elif not waiting.future.done():
                waiting.future.set_result(waiting.result)
        for action in transaction.done:
            action()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> Transaction:
        if self._open is not None and not self._writer.in_transaction:
            self.flush()  # SQLite undid all of it; what comes now must not share its failure
        if self._open is None:
            self._writer.execute("BEGIN IMMEDIATE")
            self._open = Transaction(self._writer)
            loop.call_soon(self.flush)
        return self._open

    def _undo_one(self, transaction: Transaction, undo_from: tuple[int, int], changes: int, error: Exception) -> None:
        if not self._writer.in_transaction:
            # A full disk makes SQLite undo the whole transaction by itself: then all that shared it have failed.
            transaction.broken_by = error
        elif transaction.protected:
            self._writer.execute("ROLLBACK TO one")
            self._writer.execute("RELEASE one")
        elif self._writer.total_changes != changes:
            transaction.broken_by = error
        transaction.protected = False
        undo, committed = undo_from
        for action in reversed(transaction.undo[undo:]):
            action()
        del transaction.undo[undo:]
        del transaction.committed[committed:]


@contextmanager
def open_database(path: Path, *, synchronous: str, boot_id: str) -> Iterator[Database]:
    """Opens a file for a block, making it where there is none, and leaves it marked as cleanly shut down.

    Raises RuntimeError when another process has it, ValueError when it is not ours or too new.
    """
    path = path.resolve()  # the lock belongs to the file, whatever link leads to it
    if not path.parent.is_dir():
        raise ValueError(f"there is no directory {str(path.parent)!r} for the store; make it, or name another file")
    path.touch(0o600)  # a file that is there keeps its mode; those that SQLite puts beside it get the same
    with locked(path), _connected(path) as writer:
        schema.prepare(writer, str(path))  # before anything is changed in a file that may not be ours
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"PRAGMA synchronous = {synchronous}")
        writer.execute("PRAGMA wal_autocheckpoint = 2000")  # pages of 4 KiB: stalls stay near 16 ms
        generation = boot.enter(writer, boot_id or boot.system_boot_id(), synchronous)
        with _connected(path) as reader:
            database = Database(writer, reader, generation)
            try:
                yield database
            finally:
                database.flush()
                boot.leave(writer)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    try:
        yield connection
    finally:
        connection.close()


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _unwritten(error: Exception) -> PenstockError:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return ResourceExhausted("the state layer's disk is full; nothing was written", reason="STORE_FULL")
    unavailable = Unavailable("the state layer can't write to its file now", reason="STORE_UNAVAILABLE")
    unavailable.__cause__ = error
    return unavailable
