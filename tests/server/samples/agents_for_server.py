"""Agents that end when the test says so."""

import asyncio
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
