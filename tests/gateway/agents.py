"""Agents and a tool for the gateway's tests."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any


async def shout(task: str, context: Any) -> AsyncGenerator[str]:
    """Says the task's words again, louder."""
    for word in task.split():
        yield word.upper() + " "


async def broken(task: str, context: Any) -> AsyncGenerator[str]:
    """Says one word and fails."""
    yield "well"
    raise RuntimeError("the secret reason")


async def endless(task: str, context: Any) -> AsyncGenerator[str]:
    """Says one word and then nothing, until it is cancelled."""
    yield "hmm"
    await asyncio.Event().wait()


def count_words(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())
