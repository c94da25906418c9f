"""Agents that end when the test says so."""

import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from penstock.executor import AgentContext


async def held(task: str, context: AgentContext) -> AsyncGenerator[str]:
    """Says that it has begun, and goes on once somebody opens the named pipe that is its task."""
    yield "begun"
    yield await asyncio.to_thread(Path(task).read_text)


async def echo(task: str, context: AgentContext) -> AsyncGenerator[str]:
    """Gives back its task."""
    yield task


async def blocking(task: str, context: AgentContext) -> AsyncGenerator[str]:
    """Keeps the event loop to itself for so many seconds, as somebody's first agent may."""
    yield "begun"
    give_up = time.monotonic() + float(task)
    while time.monotonic() < give_up:
        time.sleep(0.05)  # noqa: ASYNC251 - what is wrong with it is the point
    yield "done"
