"""What a session's messages may do: a list that grows at its end, with each message once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.linearizability.checker import UNKNOWN


@dataclass(frozen=True, slots=True)
class Append:
    """Appends messages; the answer is whether, their indexes, and the next index."""

    ids: tuple[str, ...]
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Read:
    """Reads all; the answer is the ids in order."""


class ConversationModel:
    """Says what a session may do; its state is the ids of its messages."""

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
        done = (True, tuple(after.index(each) for each in action.ids), len(after))
        return (after,) if answer in (UNKNOWN, done) else ()
