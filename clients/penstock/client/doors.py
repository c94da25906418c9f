"""All doors of a mesh that a client knows, and the one it goes to."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from penstock.client.door import Door


class Doors:
    """Holds a client's doors in the order given; calls go to the current one until it is left for the next.

    OPEN ── aclose ──> CLOSED (calls and pauses end, and there is no current door any more)
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._doors = [Door(address) for address in addresses]
        self._at = 0
        self._pausing: set[asyncio.Event] = set()
        self.reached: bool = False
        """Whether there ever was a connection to one of them."""
        self.closed: bool = False

    def __len__(self) -> int:
        return len(self._doors)

    @property
    def current(self) -> Door:
        """The door that the next call goes to; raises RuntimeError once the client is closed."""
        if self.closed:
            raise RuntimeError("the client is closed; make another one")
        return self._doors[self._at]

    def leave(self, door: Door) -> Door:
        """Goes on to the next door, unless another call has done so already, and returns the current one."""
        if self._doors[self._at] is door:
            self._at = (self._at + 1) % len(self._doors)
        return self._doors[self._at]

    async def pause(self, seconds: float, ended: asyncio.Event | None = None) -> None:
        """Waits so long; less when `ended` is set or the doors are closed, upon which `closed` is to be looked at."""
        ended = ended or asyncio.Event()
        self._pausing.add(ended)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await ended.wait()
        finally:
            self._pausing.discard(ended)

    async def aclose(self) -> None:
        """Ends all calls and pauses."""
        self.closed = True
        for ended in self._pausing:
            ended.set()
        for door in self._doors:
            await door.aclose()
