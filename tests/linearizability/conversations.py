"""What a session's messages may do: a list that grows at its end, with each message once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from tests.linearizability.checker import UNKNOWN, Operation


@dataclass(frozen=True, slots=True)
class Append:
    """Appends messages; the answer is whether, their indexes, and the next index."""

    ids: tuple[str, ...]
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """Reads all; the answer is the ids in order."""


class ConversationModel:
    """Says what a session may do; its state is the ids of its messages.

    Since a message stays where it is, whatever an answer says of a place holds of all states that have one there:
    `places`. It spares the search whole branches that end at that answer.
    """

    def __init__(self, places: Mapping[int, str] | None = None) -> None:
        self._places = places or {}

    @classmethod
    def of(cls, history: Iterable[Operation]) -> Self:
        """Makes the model for a session that gave these answers."""
        places: dict[int, str] = {}
        for operation in history:
            answer = operation.answer
            if answer is UNKNOWN:
                continue
            told = (
                enumerate(answer)
                if isinstance(operation.action, Read)
                else zip(answer[1], operation.action.ids, strict=False)
            )
            for place, message_id in told:
                places.setdefault(place, message_id)
        return cls(places)

    def begin(self) -> tuple[str, ...]:
        """No messages."""
        return ()

    def after(self, state: tuple[str, ...], action: Append | Read, answer: object) -> Iterable[tuple[str, ...]]:
        """Returns the states after an operation."""
        if isinstance(action, Read):
            return (state,) if answer in (UNKNOWN, state) else ()
        new = [each for each in action.ids if each not in state]
        if new and action.expected not in (None, len(state)):
            refused = (False, (), len(state))
            return (state,) if answer in (UNKNOWN, refused) else ()
        after = (*state, *new)
        if any(self._places.get(place, after[place]) != after[place] for place in range(len(state), len(after))):
            return ()
        done = (True, tuple(after.index(each) for each in action.ids), len(after))
        return (after,) if answer in (UNKNOWN, done) else ()
