"""The work that every system under measurement does: say tokens, paced or as fast as they are taken."""

import asyncio
import time
from collections.abc import AsyncGenerator


def task(tokens: int, per_second: float = 0) -> str:
    """Returns the text that asks for this many tokens; a rate of 0 means without pause."""
    return f"{tokens} {per_second}"


async def work(task: str) -> AsyncGenerator[str]:
    """Yields the tokens that a task asks for, the first at once; each says when it was due, on the machine's clock.

    The pace is kept from the start, so that a late token doesn't put off those behind it. A system that is too busy to
    wake its agent in time makes tokens late before they are made: so they say when they were due, not when they came.
    """
    tokens, per_second = task.split()
    begin, rate = time.monotonic(), float(per_second)
    for number in range(int(tokens)):
        due = begin + number / rate if rate else time.monotonic()
        if (pause := due - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        yield f"{due:.6f} "
