"""What an agent may yield besides text."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Represents text that leads to the answer and is no part of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Represents how far the agent is; `fraction` from 0 to 1, None: not known."""

    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Represents what was used since the last one, in tokens and requests to models."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    model_requests: int = 0


@dataclass(frozen=True, slots=True)
class Custom:
    """Represents something of the agent's own; `name` is 1 to 128 of `[A-Za-z0-9._:-]`, `payload` any JSON value."""

    name: str
    payload: Any = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """Represents the end of a turn, from which another attempt can go on."""


@dataclass(frozen=True, slots=True)
class Output:
    """Represents the step's output, where it is not the text yielded: text or any JSON value. The last counts."""

    value: Any


AgentEvent = Reasoning | Progress | Usage | Custom | TurnFinished | Output
