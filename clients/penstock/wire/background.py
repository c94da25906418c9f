"""Tasks that go on beside a block, and end with it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


@asynccontextmanager
async def background() -> AsyncGenerator[asyncio.TaskGroup]:
    """Gives a block a task group and waits for its tasks when the block ends; who starts an endless one cancels it.

    `async with TaskGroup()` would wrap the error of the block, which is none of the group's own, in an ExceptionGroup,
    and each layer around it once more.
    """
    group = asyncio.TaskGroup()
    await group.__aenter__()
    try:
        yield group
    finally:
        await group.__aexit__(None, None, None)
