"""The server's clock, as known here."""

import time
from collections.abc import Callable
from typing import Final

_STEP_US: Final = 1_000_000
_SLOWEST_US: Final = 1_000_000


class RedisClock:
    """Tells the time of the server in microseconds since 1970, UTC, never backwards.

    Each sample says when, by elapsed time here, the server's clock stood at what: not earlier than asked and not later
    than answered. The sample with the quickest answer of late decides. A server's clock that is set back by more than a
    second is not followed; elapsed time goes on instead.
    """

    def __init__(self, elapsed: Callable[[], int] = time.monotonic_ns) -> None:
        self._elapsed = elapsed
        self._offset_us: int | None = None
        self._best_us = 0
        self._last_us = 0

    def sample(self, server_us: int, asked_ns: int, answered_ns: int) -> None:
        """Takes what TIME answered, with this process's elapsed nanoseconds before and after."""
        round_us = (answered_ns - asked_ns) // 1000
        offset_us = server_us - (asked_ns + answered_ns) // 2000
        if self._offset_us is not None:
            # What is known grows old: clocks drift, so each time a slower answer is accepted more readily.
            self._best_us = min(self._best_us + self._best_us // 2 + 10, _SLOWEST_US)
            if round_us > self._best_us and abs(offset_us - self._offset_us) < round_us:
                return
            if offset_us < self._offset_us - _STEP_US:
                return
        self._offset_us = offset_us
        self._best_us = round_us

    def now_us(self) -> int:
        """Returns the time in microseconds since 1970, UTC."""
        if self._offset_us is None:
            raise RuntimeError("the server's clock was never read")
        self._last_us = max(self._last_us, self._elapsed() // 1000 + self._offset_us)
        return self._last_us
