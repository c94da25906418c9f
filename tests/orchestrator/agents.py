"""Agents for the orchestrator's tests; what they wait for is set by the tests."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Scene:
    """What a test and an agent share."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    runs: int = 0


scene = Scene()


async def echo(task: str, context: Any) -> AsyncGenerator[str]:
    """Says the task."""
    scene.runs += 1
    yield task


async def waits(task: str, context: Any) -> AsyncGenerator[str]:
    """Says a word, and the task when it is told to go on."""
    scene.runs += 1
    yield "well "
    scene.started.set()
    await scene.go_on.wait()
    yield task


async def second_time_lucky(task: str, context: Any) -> AsyncGenerator[str]:
    """Fails at first."""
    scene.runs += 1
    if context.attempt == 1:
        raise RuntimeError("not yet")
    yield task
