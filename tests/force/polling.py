"""Waiting for what another process does, which sets no event of ours."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.02


async def until(look: Callable[[], Awaitable[T | None]], within: float = 10.0) -> T:
    """Looks until there is something, and returns it; raises TimeoutError when there is nothing in time."""
    async with asyncio.timeout(within):
        while (found := await look()) is None:  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(_LOOK_SECONDS)
    return found
