"""How a run looks while it goes: the answer on stdout, everything else as lines on stderr."""

from collections.abc import Callable
from typing import Protocol

from penstock.client import Run, RunEvent


class View(Protocol):
    """Represents a way to watch a run."""

    def begin(self, run: Run) -> None:
        """Takes in what the run is to do; once more when its reading goes on after a pause."""

    def show(self, event: RunEvent) -> None:
        """Shows one event."""

    def say(self, text: str, over: Callable[[], bool]) -> None:
        """Says something about the watching itself, such as a lost connection; `over` tells when it is no more so."""

    def pause(self) -> None:
        """Leaves the screen to somebody else, until `begin` or `end`."""

    def end(self) -> None:
        """Shows what was held back, and leaves the answer complete."""
