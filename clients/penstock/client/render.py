"""What a run's events show: exactly one attempt of each step, whatever was lost on the way."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.v1.run_event_pb2 import RunEvent


@dataclass(frozen=True, slots=True)
class Shown:
    """Represents a piece of text that is to be shown next."""

    step_id: str
    text: str
    reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Anew:
    """Represents the loss of an attempt: what was shown of the step counts no more, and `kept` stands in its place."""

    step_id: str
    attempt: int
    dropped: int
    kept: str
    cause: str


@dataclass(frozen=True, slots=True)
class _Piece:
    sequence: int
    attempt: int
    text: str


@dataclass(slots=True)
class _Step:
    pieces: list[_Piece] = field(default_factory=list)
    lost_from: dict[int, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


class Transcript:
    """Follows a run's events, and holds the text of the attempts that count.

    A rewind takes back the tokens of its attempt from its sequence on; those before it, from turns that were finished,
    stay. Reasoning is shown but is no part of the text.
    """

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}

    @property
    def text(self) -> str:
        """The text of all steps, in the order in which they began."""
        return "".join(step.text for step in self._steps.values())

    @property
    def step_ids(self) -> list[str]:
        """The steps seen so far, in the order in which they began."""
        return list(self._steps)

    def text_of(self, step_id: str) -> str:
        """Returns the text of one step; empty for one that has none."""
        return self._steps[step_id].text if step_id in self._steps else ""

    @property
    def tokens(self) -> int:
        """How many pieces the text came in."""
        return sum(len(step.pieces) for step in self._steps.values())

    def consume(self, event: "RunEvent") -> Shown | Anew | None:
        """Takes in the next event, and returns what it means for a viewer; None: nothing to show."""
        if not event.step_id:
            return None
        step = self._steps.setdefault(event.step_id, _Step())
        kind = event.WhichOneof("event")
        if kind == "rewind":
            return _rewind(step, event)
        if kind != "token" or _is_lost(step, event.attempt, event.sequence):
            return None
        if event.token.WhichOneof("content") == "reasoning":
            return Shown(event.step_id, event.token.reasoning, reasoning=True)
        step.pieces.append(_Piece(event.sequence, event.attempt, event.token.text))
        return Shown(event.step_id, event.token.text)

    def consume_all(self, events: Iterable["RunEvent"]) -> "Transcript":
        """Takes in events and returns itself."""
        for event in events:
            self.consume(event)
        return self


def _is_lost(step: _Step, attempt: int, sequence: int) -> bool:
    lost_from = step.lost_from.get(attempt)
    return lost_from is not None and sequence >= lost_from


def _rewind(step: _Step, event: "RunEvent") -> Anew:
    earlier = step.lost_from.get(event.attempt, event.rewind.from_sequence)
    step.lost_from[event.attempt] = min(earlier, event.rewind.from_sequence)
    before = len(step.pieces)
    step.pieces = [piece for piece in step.pieces if not _is_lost(step, piece.attempt, piece.sequence)]
    return Anew(event.step_id, event.attempt, before - len(step.pieces), step.text, event.rewind.cause.message)
