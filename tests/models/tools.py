"""Tools that the models under test are given."""

import asyncio
import os
from pathlib import Path

from penstock.tools import tool


@tool(effect="none")
def add(a: int, b: int) -> int:
    """Adds two whole numbers."""
    return a + b


@tool(effect="none", name="files.read:v1")
def read_file(name: str) -> str:
    """Returns a file's text."""
    return f"the text of {name}"


@tool(effect="none")
def breaks(text: str) -> str:
    """Raises, with a secret in the error's text."""
    raise RuntimeError("secret-4711 " + text)


@tool
def counts(word: str) -> int:
    """Notes that it was called, and returns how often it was."""
    noted = Path(os.environ["COUNTED_IN"])
    with noted.open("a") as file:
        file.write(word + "\n")
    return len(noted.read_text().splitlines())


@tool
async def counts_and_hangs(word: str) -> int:
    """Notes that it was called, and never answers."""
    counts(word)
    await asyncio.Event().wait()
    return 0
