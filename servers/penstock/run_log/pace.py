"""`Pace`: how what is gathered from many runs is sent, at once when little comes and by a common tick under load."""

import asyncio


class Pace:
    """Says how long to gather: not at all after a silence, and until the next tick when the last sending was just now.

    The ticks are the same for all in a process, so that what several of them send shares commits, wake-ups and writes
    to sockets.
    """

    def __init__(self, tick_seconds: float) -> None:
        self._tick = tick_seconds
        self._last = float("-inf")

    async def wait(self) -> None:
        """Waits until the next sending may go, always one turn of the loop for what else this one brings."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        busy = now - self._last < self._tick
        await asyncio.sleep(self._tick - now % self._tick if busy else 0)
        self._last = loop.time()
