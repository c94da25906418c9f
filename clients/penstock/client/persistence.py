"""Whether to try again, when and where: the one place that decides it for calls and streams."""

import time
from dataclasses import dataclass
from typing import Final

from penstock.client.asking import UNREACHABLE
from penstock.client.backoff import full_jitter
from penstock.client.door import Door
from penstock.client.doors import Doors
from penstock.client.failure import Failure
from penstock.wire.errors import PenstockError, Unavailable

STOOD: Final = 5.0
"""Seconds after which a connection that broke counts as one that was well."""


@dataclass(frozen=True, slots=True)
class Again:
    """Represents the decision to try again: for which time, after how many seconds, and at which door."""

    attempt: int
    pause: float
    door: Door


class Persistence:
    """Counts one call's or stream's failures since all was well; times are of the monotonic clock.

    WELL ── failed ──> LOST ── went_well ──> WELL
                        └── patience, or the call's own time, is over ──> given up
    """

    def __init__(self, doors: Doors, patience: float, deadline: float | None = None) -> None:
        self._doors = doors
        self._patience = patience
        self._deadline = deadline
        self._lost_at = 0.0
        self._attempt = 0
        self._not_before: dict[Door, float] = {}

    def went_well(self) -> None:
        """Forgets the failures so far."""
        self._attempt = 0
        self._not_before.clear()

    def failed(self, door: Door, failure: Failure, began: float) -> Again:
        """Leaves the door, and says how to try again; `began` is when the call that failed did.

        The pause doubles with each round of the doors, not with each door, so that one door's end is soon made good.
        A door that said when to come again is not asked before. Raises the failure's error when it is of no use, or
        no time is left.
        """
        if failure.connected:
            self._doors.reached = True
        if not failure.repeatable:
            raise failure.error
        now = time.monotonic()
        # A server that waits itself before it says no is no progress; one that waited longer than we would had work.
        if failure.connected and now - began >= (max(STOOD, self._patience) if failure.told else STOOD):
            self.went_well()
        if self._attempt == 0:
            self._lost_at = now
        self._attempt += 1
        self._not_before[door] = now + (failure.error.retry_after or 0.0) if failure.told else now
        following = self._doors.leave(door)
        pause = full_jitter((self._attempt - 1) // len(self._doors))
        pause += max(0.0, self._not_before.get(following, now) - now)
        if self._is_hopeless() or now + pause > self._last_moment():
            raise self._given_up(failure, now)
        return Again(self._attempt, pause, following)

    def _is_hopeless(self) -> bool:
        # Nobody was ever there: most likely the address is wrong, and whoever typed it should know at once.
        return not self._doors.reached and len(self._not_before) == len(self._doors)

    def _last_moment(self) -> float:
        over = self._lost_at + self._patience
        return over if self._deadline is None else min(over, self._deadline)

    def _given_up(self, failure: Failure, now: float) -> PenstockError:
        if self._patience == 0:
            return failure.error
        addresses = ", ".join(door.address for door in self._not_before)
        if failure.told:
            failure.error.metadata.setdefault("address", addresses)
            return failure.error
        text = f"{failure.happened} {addresses} ({failure.cause})"
        if self._attempt > len(self._not_before):
            text += f"; gave up after {self._attempt} tries in {now - self._lost_at:.0f} s"
        return Unavailable(text, reason=UNREACHABLE, metadata={**failure.error.metadata, "address": addresses})
