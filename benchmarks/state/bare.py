"""What the state layer is compared with: a writer that puts rows into SQLite, one commit for all that wait."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

_MOST_AT_ONCE: Final = 1000

_Waiting = tuple[bytes, asyncio.Future[None]]


class BareWriter:
    """Writes rows by a thread of its own, and answers once they are committed.

    It knows no runs, no numbers, no fences and no readers, and nothing is called to get to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()

    def write(self, row: bytes) -> asyncio.Future[None]:
        """Writes a row; the future is done once it is committed."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((row, future))
        return future

    def end(self) -> None:
        """Has the thread end."""
        self._queue.put(None)

    def run(self) -> None:
        """Writes what comes until the end."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = normal")
            connection.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            while (first := self._queue.get()) is not None:
                waiting = [first]
                while len(waiting) < _MOST_AT_ONCE and not self._queue.empty():
                    one = self._queue.get()
                    if one is None:
                        return
                    waiting.append(one)
                connection.execute("BEGIN IMMEDIATE")
                for row, _ in waiting:
                    connection.execute("INSERT INTO rows (body) VALUES (?)", (row,))
                connection.execute("COMMIT")
                self._loop.call_soon_threadsafe(_answer, waiting)


def _answer(waiting: list[_Waiting]) -> None:
    for _, future in waiting:
        future.set_result(None)


@contextmanager
def open_bare(path: Path) -> Iterator[BareWriter]:
    """Opens a writer over a new file."""
    writer = BareWriter(path)
    thread = threading.Thread(target=writer.run, name="bare-writer")
    thread.start()
    try:
        yield writer
    finally:
        writer.end()
        thread.join()
