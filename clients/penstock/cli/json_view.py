"""A run as its events, for programs."""

from collections.abc import Callable

from penstock.cli.json_line import print_json
from penstock.cli.terminal import note
from penstock.client import Run, RunEvent, Transcript


class JsonView:
    """Prints each event of a run as a line of JSON on stdout, and nothing else there."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript

    def begin(self, run: Run) -> None:
        """Needs nothing of the run."""

    def show(self, event: RunEvent) -> None:
        """Prints one event."""
        self._transcript.consume(event)
        print_json(event)

    def say(self, text: str, over: Callable[[], bool]) -> None:
        """Says something about the watching itself, on stderr, where it stays."""
        note(text)

    def pause(self) -> None:
        """Has nothing on the screen that would be in the way."""

    def end(self) -> None:
        """Has held nothing back."""
