"""The lower end of the screen is drawn anew in place, whatever size the screen has by then."""

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from penstock.cli.region import Region
from tests.cli.emulator import Emulator


class Screen:
    """A terminal of a size, and what was written to it."""

    def __init__(self) -> None:
        self._outer, self._inner = pty.openpty()
        self.stream: TextIO = os.fdopen(self._inner, "w")

    def resize(self, columns: int, rows: int) -> None:
        """Gives it a size."""
        fcntl.ioctl(self._outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def written(self) -> str:
        """Returns what was written since the last look."""
        return os.read(self._outer, 65536).decode()

    def close(self) -> None:
        """Frees it."""
        self.stream.close()
        os.close(self._outer)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """A screen of 120 columns."""
    monkeypatch.delenv("COLUMNS", raising=False)
    made = Screen()
    made.resize(120, 10)
    yield made
    made.close()


def test_lines_are_drawn_in_place_of_those_before_and_kept_ones_stay_above(screen: Screen) -> None:
    """At the end only what was kept is there."""
    shows = Emulator(120, 10)
    region = Region(screen.stream)
    for lines in (["one", "two"], ["three"], ["four", "five", "six"]):
        region.draw(lines)
        shows.feed(screen.written())
        assert shows.lines == lines
    region.keep(["kept"])
    shows.feed(screen.written())
    assert shows.lines == ["kept", "four", "five", "six"]
    region.clear()
    shows.feed(screen.written())
    assert shows.lines == ["kept", ""]


def test_lines_that_a_narrower_screen_has_reflowed_are_all_replaced(screen: Screen) -> None:
    """A line of 100 columns takes four rows of 30."""
    region = Region(screen.stream)
    region.draw(["x" * 100, "\x1b[2my\x1b[0m"])
    screen.written()
    screen.resize(30, 10)
    region.draw(["z"])
    assert screen.written().startswith("\r\x1b[4A")


def test_of_more_lines_than_rows_the_last_are_shown(screen: Screen) -> None:
    """The first would scroll away, where nothing can replace them."""
    shows = Emulator(120, 10)
    region = Region(screen.stream)
    for _ in range(3):
        region.draw([str(number) for number in range(30)])
        shows.feed(screen.written())
    assert shows.lines == [str(number) for number in range(21, 30)]
