"""One SQLite file: a writer whose commits cover whatever arrived in one turn of the event loop, and a reader."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from penstock.state.sqlite.transaction import Transaction
from penstock.wire.errors import PenstockError, ResourceExhausted, Unavailable

__all__ = ["Database", "Transaction"]

T = TypeVar("T")

_Answer = Callable[[BaseException | None], None]


@dataclass(slots=True, eq=False)
class _Asked:
    operation: Callable[[Transaction], Any]
    protected: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Database:
    """Writes by group commit on the event loop, and reads what is committed.

    A write does its SQL at once and is answered after the commit; if it raises, only it is undone. If the commit
    fails, all that it covers fail.

    Where each commit is `synced`, another thread waits for the disk. What arrives while the file is in another
    thread's hands is done together when it comes back, and the reader sees until then what it saw before.

    `closed` says that nothing more can be written.
    """

    def __init__(
        self, writer: sqlite3.Connection, reader: sqlite3.Connection, generation: int, *, synced: bool = False
    ) -> None:
        self.reader = reader
        self.generation = generation
        self.closed = False
        self._writer = writer
        self._synced = synced
        self._open: Transaction | None = None
        self._asked: list[_Asked] = []
        self._queue: deque[_Asked] = deque()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="penstock-sqlite")
        self._lent: tuple[Future[Any], _Answer] | None = None
        self._wanted: list[tuple[Callable[[], Any], _Answer]] = []
        self._after_commit: list[Callable[[], None]] = []

    def write(self, operation: Callable[[Transaction], T], *, protected: bool = True) -> asyncio.Future[T]:
        """Does a write; the future has its result, or what it raised, once that is committed.

        One that is not `protected` saves two statements, and protects itself before the first change after which it may
        still raise. Should it fail between two changes all the same, all that share its commit fail with it. One that
        is cancelled before it was begun is not done.

        Raises (in the future): ResourceExhausted when the disk is full, Unavailable when the file can't be written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        asked = _Asked(operation, protected, future)
        if self._lent is None:
            self._do(loop, asked)
        else:
            self._queue.append(asked)
        return future

    def after_commit(self, action: Callable[[], None]) -> None:
        """Has an action done after each commit from now on; it may write."""
        self._after_commit.append(action)

    def define(
        self, name: str, arguments: int, function: Callable[..., Any], *, for_reader: Callable[..., Any]
    ) -> None:
        """Gives the SQL of the writer, and that of the reader, a function."""
        self._writer.create_function(name, arguments, function)
        self.reader.create_function(name, arguments, for_reader)

    def lend(self, work: Callable[[], Any], answer: _Answer) -> None:
        """Has another thread do something while nothing is written, then tells how that went."""
        if self._open is None and self._lent is None:
            self._lend(work, answer)
        else:
            self._wanted.append((work, answer))

    def flush(self) -> None:
        """Commits what is open, now."""
        transaction, self._open = self._open, None
        asked, self._asked = self._asked, []
        if transaction is None:
            return
        try:
            if transaction.broken_by is not None:
                raise transaction.broken_by
            for action in transaction.storing:
                action(transaction)
            if self._synced:
                self.reader.execute("BEGIN")
                self.reader.execute("SELECT 1 FROM meta LIMIT 1").fetchone()  # it is now that the reader looks
            else:
                self._writer.execute("COMMIT")
        except Exception as error:
            self._fail(transaction, asked, error)
            return
        if self._synced:
            self._lend(lambda: self._writer.execute("COMMIT"), lambda error: self._synced_to(transaction, asked, error))
        else:
            self._succeed(transaction, asked)

    def close(self) -> None:
        """Commits what was asked for so far, and waits for it."""
        self.closed = True
        self._synced = False
        self._after_commit.clear()
        while self._lent is not None or self._open is not None:
            if self._lent is not None:
                self._take_back(self._lent[0])
            else:
                self.flush()
        self._threads.shutdown()

    def _synced_to(self, transaction: Transaction, asked: list[_Asked], error: BaseException | None) -> None:
        self.reader.execute("COMMIT")
        if isinstance(error, Exception):
            self._fail(transaction, asked, error)
        else:
            self._succeed(transaction, asked)

    def _succeed(self, transaction: Transaction, asked: list[_Asked]) -> None:
        for action in transaction.committed:
            action()
        for one in asked:
            if one.error is not None:
                _fail(one.future, one.error)
            elif not one.future.done():
                one.future.set_result(one.result)
        for action in transaction.done:
            action()
        self._grant()
        for action in self._after_commit:
            action()

    def _fail(self, transaction: Transaction, asked: list[_Asked], error: Exception) -> None:
        for connection in (self._writer, self.reader):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        for action in reversed(transaction.undo):
            action()
        for one in asked:
            _fail(one.future, _unwritten(error))
        self._grant()

    def _grant(self) -> None:
        if self._wanted and self._open is None and self._lent is None:
            self._lend(*self._wanted.pop(0))

    def _lend(self, work: Callable[[], Any], answer: _Answer) -> None:
        loop = asyncio.get_running_loop()
        future = self._threads.submit(work)
        self._lent = future, answer
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._take_back, future))

    def _take_back(self, future: Future[Any]) -> None:
        if self._lent is None or self._lent[0] is not future:
            return  # `close` was first
        error = future.exception()
        answer = self._lent[1]
        self._lent = None
        try:
            answer(error)
        finally:
            while self._queue and self._lent is None:
                asked = self._queue.popleft()
                if not asked.future.cancelled():
                    self._do(asked.future.get_loop(), asked)
            self._grant()

    def _do(self, loop: asyncio.AbstractEventLoop, asked: _Asked) -> None:
        transaction = self._open
        if transaction is None or not self._writer.in_transaction:
            self.flush()  # SQLite undid all of it; what comes now must not share its failure
            if self._lent is not None:
                self._queue.appendleft(asked)
                return
            try:
                transaction = self._begin(loop)
            except sqlite3.Error as error:
                asked.future.set_exception(_unwritten(error))
                return
        undo_from = len(transaction.undo), len(transaction.committed)
        changes = self._writer.total_changes
        try:
            if asked.protected:
                transaction.protect()
            asked.result = asked.operation(transaction)
            if transaction.protected:
                self._writer.execute("RELEASE one")
                transaction.protected = False
        except Exception as error:
            self._undo_one(transaction, undo_from, changes, error)
            asked.error = _unwritten(error) if isinstance(error, sqlite3.Error) else error
        self._asked.append(asked)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> Transaction:
        self._writer.execute("BEGIN IMMEDIATE")
        self._open = transaction = Transaction(self._writer)
        loop.call_soon(self.flush)
        return transaction

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


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if isinstance(error, StopIteration):  # futures take all but this
        error = RuntimeError(f"a write raised {error!r}")
    if not future.done():
        future.set_exception(error)


def _unwritten(error: Exception) -> PenstockError:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return ResourceExhausted("the state layer's disk is full; nothing was written", reason="STORE_FULL")
    unavailable = Unavailable("the state layer can't write to its file now", reason="STORE_UNAVAILABLE")
    unavailable.__cause__ = error
    return unavailable
