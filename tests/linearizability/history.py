"""What concurrent clients asked of many objects, and what they were told."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import grpc
import grpc.aio

from tests.linearizability.checker import UNKNOWN, Model, Operation, check

# Whoever gets one of these does not know whether the call was carried out.
_UNCLEAR = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED}
)


class TooLittle(AssertionError):
    """Says that a history proves nothing, because too few of its operations were answered, or did anything."""


@dataclass(slots=True)
class Asked:
    """Represents an operation that goes on."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    """What the answer means for each object that it concerns."""

    did: bool = False
    """Whether it changed something, by its answer."""


class History:
    """Takes down operations as they begin and end; the ends of those that fail unclearly stay open."""

    def __init__(self) -> None:
        self._now = count(1)
        self._operations: dict[str, list[Operation]] = {}
        self.outcomes: Counter[str] = Counter()

    @asynccontextmanager
    async def asking(self, client: str, actions: Mapping[str, Any]) -> AsyncGenerator[Asked]:
        """Takes down an operation on one object or more for the block, which sets the answers."""
        asked, begin = Asked(), next(self._now)
        end: float = math.inf
        try:
            yield asked
            end = next(self._now)
            self.outcomes["answered"] += 1
            self.outcomes["done"] += asked.did
        except grpc.aio.AioRpcError as error:
            if error.code() not in _UNCLEAR:
                raise
            asked.answers = {}
            self.outcomes["unknown"] += 1
        for name, action in actions.items():
            answer = asked.answers.get(name, UNKNOWN)
            self._operations.setdefault(name, []).append(Operation(client, action, answer, begin, end))

    def has_enough(self, *, answered: float = 1.0, done: int = 10, unknown: int = 0) -> bool:
        """Tells whether the share `answered` of all operations have an answer, `done` of them changed something, and
        `unknown` of them are unknown, at least."""
        outcomes = self.outcomes
        total = outcomes["answered"] + outcomes["unknown"]
        return outcomes["answered"] >= answered * total and outcomes["done"] >= done and outcomes["unknown"] >= unknown

    def verify(self, model: Model | Callable[[Sequence[Operation]], Model], **wanted: Any) -> None:
        """Fails unless the history of every object has an explanation; raises TooLittle when not enough happened.

        `model` may be what makes one for an object's history.
        """
        if not self.has_enough(**wanted):
            raise TooLittle(f"{dict(self.outcomes)}")
        for name, operations in self._operations.items():
            verdict = check(operations, model(operations) if callable(model) else model)
            assert verdict.explained, f"{name}: {verdict}"
