"""Looking at the file through a connection of its own, in another thread, so that the event loop goes on."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

# How far `look` may be ahead of whoever takes what it yields.
_AHEAD: Final = 16


async def looked_at(
    path: Path, look: Callable[[sqlite3.Connection], Iterator[T]], silence: float
) -> AsyncGenerator[T | None]:
    """Yields what `look` yields in another thread, and None after each `silence` seconds without.

    Ended early, it interrupts what is going on there and waits for that.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Queue[tuple[T, ...]] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)
    stopped = threading.Event()
    # Opened here, so that what is going on there can be interrupted from here.
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)

    def work() -> None:
        try:
            for one in look(connection):
                room.acquire()
                if stopped.is_set():
                    return
                loop.call_soon_threadsafe(found.put_nowait, (one,))
        finally:
            loop.call_soon_threadsafe(found.put_nowait, ())

    with closing(connection):
        working = loop.run_in_executor(None, work)
        try:
            while True:
                try:
                    async with asyncio.timeout(silence):
                        one = await found.get()
                except TimeoutError:
                    yield None
                    continue
                if not one:
                    break
                room.release()
                yield one[0]
            await working
        finally:
            stopped.set()
            room.release()
            connection.interrupt()
            await asyncio.wait([working])
            if not working.cancelled():
                working.exception()  # that it was interrupted is no news
