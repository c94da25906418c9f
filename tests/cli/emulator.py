"""What a terminal shows after it was sent text: enough of a VT100 to look at what commands draw."""

import re
from unicodedata import combining, east_asian_width

_TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|(\x1b.)|([\s\S])")

_BEGUN = re.compile(r"\x1b(\[\??[0-9;]*)?$")


class Emulator:
    """Keeps the lines of a terminal of one size, those that were scrolled away included.

    `wide` are the classes of East Asian width that take two columns: on some terminals, those of `A` do too. Cells hold
    a character each, the second cell of a wide one an empty text. Sequences that a terminal might act on in other ways
    than colours, and that are not known here, are kept in `strange`.
    """

    def __init__(self, columns: int, rows: int, *, wide: str = "WF") -> None:
        self.columns = columns
        self._wide = wide
        self.rows = rows
        self.strange: list[str] = []
        self._lines: list[list[str]] = [[]]
        self._row = 0
        self._column = 0
        self._wraps = True
        self._begun = ""

    @property
    def lines(self) -> list[str]:
        """All lines from the first to the last that was reached, without blanks at their ends."""
        return ["".join(line).rstrip() for line in self._lines]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def feed(self, text: str) -> None:
        """Takes in what was sent; a sequence may come in pieces."""
        text, self._begun = self._begun + text, ""
        if begun := _BEGUN.search(text):
            text, self._begun = text[: begun.start()], begun[0]
        for found in _TOKEN.finditer(text):
            numbers, command, other, char = found.groups()
            if command:
                self._command(numbers, command)
            elif other:
                self.strange.append(other)
            else:
                self._put(char)

    def _command(self, numbers: str, command: str) -> None:
        match command, numbers:
            case "A", _:
                top = max(len(self._lines) - self.rows, 0)
                self._row = max(self._row - int(numbers or 1), top)
            case "K", "" | "0":
                del self._lines[self._row][self._column :]
            case "J", "" | "0":
                del self._lines[self._row][self._column :]
                del self._lines[self._row + 1 :]
            case "l" | "h", "?7":
                self._wraps = command == "h"
            case "m", _:
                pass
            case _:
                self.strange.append(f"{numbers}{command}")

    def _put(self, char: str) -> None:
        if char == "\r":
            self._column = 0
        elif char == "\n":
            self._row += 1
            if self._row == len(self._lines):
                self._lines.append([])
        elif char == "\x08":
            self._column = max(self._column - 1, 0)
        elif ord(char) < 32:
            self.strange.append(char)
        else:
            self._print(char)

    def _print(self, char: str) -> None:
        width = 0 if combining(char) else 2 if east_asian_width(char) in self._wide else 1
        if self._column + width > self.columns:
            if self._wraps:
                self._put("\r")
                self._put("\n")
            else:
                self._column = self.columns - width
        line = self._lines[self._row]
        line.extend(" " * (self._column - len(line)))
        line[self._column : self._column + width] = [char, ""][:width] if width else []
        self._column += width
