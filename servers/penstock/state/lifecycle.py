"""The contract of the outbox: which starts and ends of runs are still to be published."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from penstock.v1.run_pb2 import Run, RunState


@dataclass(frozen=True, slots=True)
class LifecycleNews:
    """Represents that a run has started (`RUN_STATE_RUNNING`) or ended (a terminal state).

    `run` is the run as it stands now, maybe later than `state`, without plan, input and output.
    """

    tenant: str
    run: Run
    state: RunState


class LifecycleOutbox(Protocol):
    """Holds a mark in each run's head from the commit in which it started or ended until that has been published.

    Without a lifecycle topic in its settings a store leaves no marks.
    """

    def pending(self, limit: int) -> Awaitable[Sequence[LifecycleNews]]:
        """Returns at most so many news that are not cleared, the oldest runs' first, a run's start before its end."""

    def clear(self, news: Sequence[LifecycleNews]) -> Awaitable[None]:
        """Takes the marks of these news away; those that are gone are passed over."""
