"""The lower end of a terminal, drawn again and again, below lines that stay."""

import os
import re
from collections.abc import Sequence
from typing import Final, TextIO

from penstock.cli.table import columns_of

_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")
_LINE_START, _CLEAR_LINE, _CLEAR_BELOW = "\r", "\x1b[K", "\x1b[J"
# A line that is wider than was thought is cut by the terminal and never takes a second row.
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"


class Region:
    """Draws lines at the lower end of a terminal in place of those drawn before.

    Each change is one write. Where the screen was resized meanwhile, the rows that the lines take now are counted
    again, as terminals that reflow show them.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn: list[str] = []

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows to draw in: the terminal's, fewer columns if COLUMNS says so; 80 and 24 if nothing tells."""
        try:
            columns, rows = os.get_terminal_size(self._stream.fileno())
        except OSError:
            columns, rows = 0, 0
        said = os.environ.get("COLUMNS", "")
        return min(columns or 80, int(said) or 80) if said.isdecimal() else columns or 80, rows or 24

    def draw(self, lines: Sequence[str]) -> None:
        """Shows lines in place of those shown before; of more than the screen has rows, the last."""
        self._replace([], list(lines)[-max(self.size[1] - 1, 1) :])

    def keep(self, lines: Sequence[str]) -> None:
        """Puts lines above the region, where they stay."""
        self._replace(lines, self._drawn)

    def clear(self) -> None:
        """Leaves the screen as if nothing had been drawn but the lines that stay."""
        self._replace([], [])

    def _replace(self, kept: Sequence[str], drawn: list[str]) -> None:
        if not (kept or drawn or self._drawn):
            return
        above = self._rows() - 1
        up = f"\x1b[{above}A" if above > 0 else ""
        # Lines that stay may wrap, so that nothing of them is lost, into rows that must be empty by then.
        stay = _CLEAR_BELOW + "".join(f"{line}\n" for line in kept) if kept else ""
        live = "\n".join(_CLEAR_LINE + line for line in drawn)
        self._stream.write(f"{_LINE_START}{up}{stay}{_WRAP_OFF}{live}{_WRAP_ON}{_CLEAR_BELOW}")
        self._stream.flush()
        self._drawn = drawn

    def _rows(self) -> int:
        columns, rows = self.size
        taken = sum(max(1, -(-columns_of(_STYLE.sub("", line)) // columns)) for line in self._drawn)
        return min(taken, rows)
