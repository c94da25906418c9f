"""Reading runs of the agent `model`."""

import asyncio
from collections.abc import Iterable
from typing import Unpack

from penstock.client import Client, RunEvent, RunOptions, error_of
from penstock.wire.errors import PenstockError


async def read(client: Client, task: str, **options: Unpack[RunOptions]) -> list[RunEvent]:
    """Runs the agent `model`, and returns the run's events."""
    options.setdefault("agent", "model")
    async with asyncio.timeout(60):
        return [event async for event in client.stream_run(task, **options)]


def of_kind(seen: Iterable[RunEvent], kind: str) -> list[RunEvent]:
    """Returns the events of one kind."""
    return [event for event in seen if event.WhichOneof("event") == kind]


async def failure(client: Client, task: str, **options: Unpack[RunOptions]) -> PenstockError:
    """Runs the agent `model`, which fails, and returns with what."""
    options.setdefault("agent", "model")
    async with asyncio.timeout(60):
        error = error_of(await client.execute_run(task, **options))
    assert error is not None
    return error
