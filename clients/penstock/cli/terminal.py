"""What may go to a terminal, and how it looks there."""

import os
import re
import sys
from typing import Final, TextIO

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Returns the text with control characters made visible, so that no agent's output can drive the terminal."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def line(text: str, limit: int | None = 100) -> str:
    """Returns the text as one printable line of at most so many characters (None: all of them)."""
    flat = printable(" ".join(text.split()))
    return flat if limit is None or len(flat) <= limit else flat[: limit - 1] + "…"


def has_styles(stream: TextIO) -> bool:
    """Tells whether text may be coloured, dim or bold: on a terminal that is not dumb, unless NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def styled(text: str, code: str, stream: TextIO) -> str:
    """Returns the text in an SGR style (`2` dim, `1` bold, `31` red), where the stream may have styles."""
    return f"\x1b[{code}m{text}\x1b[0m" if has_styles(stream) else text


def can_redraw() -> bool:
    """Tells whether stdout and stderr are one screen on which lines can be drawn again."""
    return sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def can_ask() -> bool:
    """Tells whether somebody sits there who can be asked, and whose answer can be read."""
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()


def note(text: str) -> None:
    """Writes a dim line to stderr, which keeps stdout for the answer."""
    print(styled(text, "2", sys.stderr), file=sys.stderr, flush=True)
