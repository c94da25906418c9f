"""The standard streams and arguments, as the process was given them."""

import os
import sys
from contextlib import suppress


def prepare_streams() -> None:
    """Makes the standard streams ones that can be used, whatever the process was started with."""
    # Where one was closed, as some supervisors do it, Python has None; the lowest free descriptor is the missing one.
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115 - it stays open
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - it stays open
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it stays open
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)  # an old terminal's encoding is no reason to lose a run's view


def give_up_output() -> None:
    """Lets go of what could not be written to stdout: Python would try again at its end, and exit with 120."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_text(typed: str) -> bool:
    """Tells whether an argument or a line of stdin is text; of bytes that are none, Python makes surrogates."""
    return typed.isascii() or not any("\ud800" <= char <= "\udfff" for char in typed)
