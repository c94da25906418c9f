"""Those who wait for something to claim."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Waiters:
    """Wakes everyone who waits; each then looks for itself, and what it finds is its own."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    @contextmanager
    def waiting(self) -> Iterator[asyncio.Future[None]]:
        """Gives a future that is done with the next news; those that come while the caller looks count too."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            yield future
        finally:
            self._waiting.discard(future)
            future.cancel()

    def wake(self) -> None:
        """Tells all who wait now."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
