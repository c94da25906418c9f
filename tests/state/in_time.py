"""Experiments with time: one that a machine's stall has spoilt proves nothing, and is made again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

_TRIES: Final = 20


class Pace:
    """Notes when each step of an experiment was begun."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun: list[float] = []
        self._was_lost = False

    def step(self) -> None:
        """Says that the step before is done, and the next begins."""
        self._begun.append(asyncio.get_running_loop().time())

    def rest(self) -> None:
        """Says that the next step may come as late as it likes."""
        self._was_lost = self.lost
        self._begun = []

    @property
    def lost(self) -> bool:
        """Whether a step and the next one may have been further apart than they should."""
        times = [*self._begun, asyncio.get_running_loop().time()]
        # A step happens somewhere between its begin and the next one's.
        return self._was_lost or any(
            later - earlier > self._seconds for earlier, later in zip(times, times[2:], strict=False)
        )


async def in_time(seconds: float, experiment: Callable[[Pace, int], Awaitable[None]]) -> None:
    """Makes an experiment that holds only if each step comes within so many seconds of the one before.

    What it finds wrong when they came later is not the store's fault: it is made again, under another number.
    """
    for number in range(_TRIES):
        pace = Pace(seconds)
        try:
            await experiment(pace, number)
        except AssertionError:
            if not pace.lost:
                raise
        else:
            return
    raise AssertionError(f"in {_TRIES} tries the machine was not once quick enough")
