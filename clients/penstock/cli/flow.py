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
    # By places in it and never by what is left of it: a paragraph may be an answer of a megabyte.
    begin = 0
    while (fits := _fitting(paragraph, begin, width)) < len(paragraph):
        # A blank just after the last character that fits ends a word too.
        end = paragraph.rfind(" ", begin, fits + 1)
        if end < 0 or not paragraph[begin:end].strip():
            end = fits
        yield paragraph[begin:end].rstrip()
        begin = end
        while paragraph.startswith(" ", begin):
            begin += 1
    yield paragraph[begin:]


def _fitting(text: str, begin: int, width: int) -> int:
    """Returns up to where the characters from a place on fit into the width, which is at least two."""
    if text[begin : begin + width + 1].isascii():
        return min(begin + width, len(text))
    used = 0
    for index in range(begin, len(text)):
        used += columns_of(text[index])
        if used > width:
            return index
    return len(text)
