"""A search for the one order of operations that explains a concurrent history.

J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects", Journal of Parallel and Distributed Computing 17
(1993): try each operation that no other one had ended before, and go back where that leads nowhere. G. Lowe, "Testing
for linearizability", Concurrency and Computation 29 (2017): remember each pair of operations done and state reached,
since another order of the same operations that leads to the same state need not be tried again.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# The answer of an operation of which nobody knows whether it was done: it takes effect at any time after its call, or
# never.
UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda self: "?"})()


@dataclass(frozen=True, slots=True)
class Operation:
    """Represents a call and its answer; times only order the calls and ends of one history."""

    client: str
    action: Any
    answer: Any
    begin: float
    end: float = math.inf

    def __str__(self) -> str:
        return f"{self.begin:>5g}-{self.end:<5g} {self.client}: {self.action} -> {self.answer}"


class Model(Protocol):
    """Says what an object may do, one operation after another."""

    def begin(self) -> Hashable:
        """Returns the state of an object that nobody has used."""

    def after(self, state: Any, action: Any, answer: Any) -> Iterable[Hashable]:
        """Returns the states that an operation may leave; none: it can't have this answer in this state."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Says whether a history has an explanation, and how far the best attempt came."""

    explained: bool
    order: Sequence[Operation]
    """The operations in an order that explains them; of a history that has none, the longest beginning of one."""

    stuck: Sequence[Operation]
    """The operations of which none can come next."""

    def __str__(self) -> str:
        if self.explained:
            return "linearizable"
        lines = ["not linearizable; the longest explanation is", *(f"  {each}" for each in self.order)]
        return "\n".join([*lines, "after which none of these can come:", *(f"  {each}" for each in self.stuck)])


def check(history: Sequence[Operation], model: Model) -> Verdict:
    """Looks for an order that explains the history of one object.

    Each operation keeps its place behind all that had ended before it began. Takes exponential time at worst: a few
    hundred operations of some ten clients are fine.
    """
    operations = sorted(history, key=lambda each: each.begin)
    needed = sum(1 << place for place, each in enumerate(operations) if each.answer is not UNKNOWN)
    begin = frozenset([model.begin()])
    # One entry for each step of the order that is being tried: what was done, the states that may be, what can be next.
    path: list[int] = []
    trail = [(0, begin, iter(_next(operations, 0)))]
    # For what was done of the needed ones, and the states: which of the others were done too. Who has done fewer of
    # these can still do whatever the one who has done more can.
    seen: dict[tuple[int, frozenset[Hashable]], list[int]] = {(0, begin): [0]}
    best: tuple[list[int], int] = ([], 0)
    while trail:
        done, states, choices = trail[-1]
        if done & needed == needed:
            return Verdict(True, [operations[place] for place in path], ())
        for place in choices:
            operation = operations[place]
            after = frozenset(new for state in states for new in model.after(state, operation.action, operation.answer))
            if not after or (operation.answer is UNKNOWN and after == states):
                continue  # it can't come here, or need not come at all
            now = done | 1 << place
            others = seen.setdefault((now & needed, after), [])
            if not any(fewer & ~now == 0 for fewer in others):
                others.append(now & ~needed)
                path.append(place)
                trail.append((now, after, iter(_next(operations, now))))
                if len(path) > len(best[0]):
                    best = (path.copy(), now)
                break
        else:
            trail.pop()
            if path:
                path.pop()
    order, done = best
    return Verdict(
        False, [operations[place] for place in order], [operations[place] for place in _next(operations, done)]
    )


def _next(operations: Sequence[Operation], done: int) -> list[int]:
    """The operations that none of the others had ended before, those apart that are done; the earliest first, and last
    those that need not have been done."""
    left = [place for place in range(len(operations)) if not done >> place & 1]
    first_end = min((operations[place].end for place in left), default=math.inf)
    following = [place for place in left if operations[place].begin < first_end]
    return sorted(following, key=lambda place: operations[place].answer is UNKNOWN)
