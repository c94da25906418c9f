"""Tables of text, without frames, that fit the terminal and stay whole where there is none."""

import shutil
import sys
from collections.abc import Sequence
from unicodedata import combining, east_asian_width

GAP = "  "


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, indent: str = "") -> str:
    """Lays out rows in columns under a head; the last column is cut with `…` at `width` (None: never)."""
    widths = [max(columns_of(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(_cut(indent + _row(row, widths), width) for row in (head, *rows))


def screen_width() -> int | None:
    """Returns how many columns stdout has; None when it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def columns_of(text: str) -> int:
    """Returns how many columns a terminal gives a text."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - columns_of(cell)) for cell, width in zip(cells, widths, strict=True))
    return GAP.join(padded).rstrip()


def _cut(text: str, width: int | None) -> str:
    if width is None or columns_of(text) <= width:
        return text
    while columns_of(text) > width - 1:
        text = text[:-1]
    return text + "…"
