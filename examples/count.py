"""An agent that takes its time, to try out Ctrl-C, `penstock attach`, and killing processes.

penstockd --app-dir examples --agent count=count:count
"""

import asyncio
from collections.abc import AsyncGenerator

from penstock.executor import AgentContext, AgentError


async def count(task: str, context: AgentContext) -> AsyncGenerator[str]:
    """Counts to the number that is its task, five numbers a second."""
    if not task.strip().isdecimal():
        raise AgentError(f"my task must be a whole number, not {task[:50]!r}", reason="NOT_A_NUMBER")
    for number in range(1, int(task) + 1):
        await asyncio.sleep(0.2)
        yield f"{number} "
