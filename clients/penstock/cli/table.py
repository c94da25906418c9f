"""Tables of text, without frames, that fit the terminal and stay whole where there is none."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from unicodedata import combining, east_asian_width

GAP = "  "
# Of a line where nothing tells the width: wide enough for sentences, and no burden in a file.
USUAL_WIDTH = 120


def table(head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, indent: str = "") -> str:
    """Lays out rows in columns under a head; the last column is cut with `…` at `width` (None: never)."""
    widths = [max(columns_of(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(cut(indent + _row(row, widths), width) for row in (head, *rows))


def screen_width() -> int | None:
    """Returns how many columns stdout has; None when it is no terminal and COLUMNS doesn't say."""
    if sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    said = os.environ.get("COLUMNS", "")
    return int(said) or None if said.isdecimal() else None


def wrapped(text: str, width: int | None, indent: str = "") -> str:
    """Breaks a line at word ends where the width asks for it (None: never); a long word, as an id is, stays whole."""
    if width is None:
        return indent + text
    # Two columns more tell the further lines from the next text.
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + GAP,
        break_long_words=False,
        break_on_hyphens=False,
    )


def cut_at_word(text: str, width: int) -> str:
    """Cuts a line with `…` at the last word end within the width; a first word that is longer is cut itself."""
    if columns_of(text) <= width:
        return text
    kept = cut(text, width)[:-1]
    at_word = kept if text[len(kept)].isspace() else kept.rpartition(" ")[0]
    return (at_word.rstrip() or kept) + "…"


def columns_of(text: str) -> int:
    """Returns how many columns a terminal gives a text."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, width: int | None) -> str:
    """Cuts a line with `…` at the width (None: never)."""
    if width is None or columns_of(text) <= width:
        return text
    while text and columns_of(text) > width - 1:
        text = text[:-1]
    return text + "…" if width > 0 else ""


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - columns_of(cell)) for cell, width in zip(cells, widths, strict=True))
    return GAP.join(padded).rstrip()
