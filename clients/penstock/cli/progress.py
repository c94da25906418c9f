"""One line on stderr that tells how far a long work has come, where somebody looks on."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from penstock.cli.region import Region
from penstock.cli.terminal import can_redraw, line, styled

_SECONDS: Final = 0.1


class Progress:
    """Shows the newest of what it is told, a few times a second."""

    def __init__(self) -> None:
        self._region = Region(sys.stderr) if sys.stderr.isatty() and can_redraw() else None
        self._shown_at = 0.0

    def tell(self, text: str) -> None:
        """Takes in how far the work has come."""
        now = time.monotonic()
        if self._region is not None and now - self._shown_at >= _SECONDS:
            self._shown_at = now
            self._region.draw([styled(line(text), "2", sys.stderr)])

    def clear(self) -> None:
        """Leaves nothing on the screen."""
        if self._region is not None:
            self._region.clear()


@contextmanager
def progress() -> Generator[Progress]:
    """Shows progress for the block, and then no more."""
    shown = Progress()
    try:
        yield shown
    finally:
        shown.clear()
