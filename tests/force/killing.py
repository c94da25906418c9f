"""Under load something is killed again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.force.load import Load


async def killed_under_load(load: Load, kills: int, kill: Callable[[], Awaitable[None]]) -> None:
    """Kills `kills` times, each time when the load has come some way since, and verifies all that was told."""
    stop = asyncio.Event()
    async with asyncio.timeout(60 + 30 * kills):
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(stop))
            for _ in range(kills):
                await load.progress(load.dice.randint(60, 300))
                await kill()
            await load.progress(60)
            stop.set()
        await load.verify()
    print(load)
