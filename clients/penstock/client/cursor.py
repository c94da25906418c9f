"""A place in a run's log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cursor:
    """Represents a place in a run's log: attaching from it yields the event after `after_sequence`, and so on."""

    generation: int = 0
    after_sequence: int = 0
