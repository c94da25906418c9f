"""Keys that are typed while a screen is being drawn."""

import os
import sys
from typing import Any

try:
    import termios
except ImportError:  # not on Windows, where keys are not shown before they are read
    termios = None  # type: ignore[assignment]  # stands for a module that isn't there


class Keys:
    """Keeps typed keys from showing up in the midst of the screen; Ctrl-C and Ctrl-Z do what they always do."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def hide(self) -> None:
        """Stops the terminal from showing what is typed."""
        if self._before is None and _may_set():
            self._before = termios.tcgetattr(0)
            quiet = [*self._before]
            quiet[3] &= ~termios.ECHO
            termios.tcsetattr(0, termios.TCSANOW, quiet)

    def show(self) -> None:
        """Lets the terminal do as it did before; what was typed meanwhile is there to be read."""
        before, self._before = self._before, None
        if before is not None and _may_set():
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def _may_set() -> bool:
    # In the background, a process that changes the terminal is stopped for it.
    try:
        return termios is not None and sys.stdin.isatty() and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # a terminal, but not the one that sends us signals
        return False
