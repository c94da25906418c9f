"""Text broken into lines that fit a screen, by the columns that a terminal gives each character."""

from collections.abc import Iterator

from penstock.cli.table import columns_of
from penstock.cli.terminal import printable


def flowed(text: str, width: int) -> list[str]:
    """Breaks a text at word ends into lines of at most so many columns; its own line breaks and indents stay."""
    text = text.replace("\r\n", "\n")
    return [line for paragraph in text.split("\n") for line in _lines(paragraph.expandtabs(4), max(width, 2))]


def last_lines(text: str, width: int, most: int) -> list[str]:
    """Returns the last lines of the flowed printable text, without looking at what is far above them."""
    if most < 1:
        return []
    rest = text[-(width + 1) * most * 2 :]
    if len(rest) < len(text):
        # From a line's own beginning, so that words don't move from frame to frame.
        _, found, after = rest.partition("\n")
        rest = after if found and after else rest
    return flowed(printable(rest), width)[-most:]


def _lines(paragraph: str, width: int) -> Iterator[str]:
    while columns_of(paragraph) > width:
        fits = _fitting(paragraph, width)
        # A blank just after the last character that fits ends a word too.
        end = paragraph.rfind(" ", 0, fits + 1)
        if end < 0 or not paragraph[:end].strip():
            end = fits
        yield paragraph[:end].rstrip()
        paragraph = paragraph[end:].lstrip(" ")
    yield paragraph


def _fitting(text: str, width: int) -> int:
    """Returns how many characters fit into the width, at least one."""
    used = 0
    for index, char in enumerate(text):
        used += columns_of(char)
        if used > width:
            return max(index, 1)
    return len(text)
