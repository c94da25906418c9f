"""What may go to a terminal, and how it looks there."""

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


def styled(text: str, code: str, stream: TextIO) -> str:
    """Returns the text in an SGR style (`2` dim, `1` bold, `31` red), on a terminal only."""
    return f"\x1b[{code}m{text}\x1b[0m" if stream.isatty() else text


def note(text: str) -> None:
    """Writes a dim line to stderr, which keeps stdout for the answer."""
    print(styled(text, "2", sys.stderr), file=sys.stderr, flush=True)
