"""The store's clock, on which all times, leases and deadlines of the mesh are kept."""

import time
from collections.abc import Callable
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

LARGEST_STEP_US: Final = 86_400_000_000
"""Microseconds by which a machine's clock may be set back between two lives of a store without a version that comes
twice: versions of what is gone are remembered for that long."""


class StoreClock:
    """Tells the time in microseconds since 1970, UTC: never backwards, and never standing still.

    It follows the machine's clock forwards; when that one is set back, it goes on by elapsed time instead, so that a
    lease lapses when it should.
    """

    def __init__(self, wall: Callable[[], int] = time.time_ns, elapsed: Callable[[], int] = time.monotonic_ns) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._time = wall()
        self._read_at = elapsed()

    def now_us(self) -> int:
        """Returns the time in microseconds since 1970, UTC."""
        # In this order: what a process is stopped for between the two is part of what has elapsed, and of nothing else.
        wall = self._wall()
        at = self._elapsed()
        self._time = max(wall, self._time + at - self._read_at)
        self._read_at = at
        return self._time // 1000


def to_timestamp(microseconds: int) -> Timestamp:
    """Turns microseconds since 1970 into a Timestamp."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def from_timestamp(timestamp: Timestamp) -> int:
    """Turns a Timestamp into microseconds since 1970."""
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1000
