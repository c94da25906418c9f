"""Deadlines: points in time, of which each hop passes on what is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

# gRPC quantises larger values and a few clients send the largest integer for "none".
LONGEST: Final = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """Represents the point in time after which nobody waits any more, in seconds of this process's monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Makes the deadline that lies so many seconds from now."""
        return cls(time.monotonic() + min(seconds, LONGEST))

    def remaining(self) -> float:
        """Returns the seconds left; never negative."""
        return max(0.0, self.at - time.monotonic())

    def earlier(self, seconds: float | None) -> Deadline:
        """Returns whichever comes first: this, or so many seconds from now (None: this)."""
        return self if seconds is None else min(self, Deadline.after(seconds), key=lambda deadline: deadline.at)


_current: ContextVar[Deadline | None] = ContextVar("penstock_deadline", default=None)


def current_deadline() -> Deadline | None:
    """Returns the deadline of the call that is being handled; None: no call, or no deadline."""
    return _current.get()


@contextmanager
def use_deadline(deadline: Deadline | None) -> Iterator[None]:
    """Makes a deadline the current one for a block."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


def clamp_timeout(timeout: float | None) -> float | None:
    """Returns the time that a call may take: what was asked for, but never more than the current deadline leaves."""
    deadline = _current.get()
    if deadline is None:
        return timeout
    remaining = deadline.remaining()
    return remaining if timeout is None else min(timeout, remaining)
