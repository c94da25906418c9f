"""The agent that Penstock's executor runs in a measurement."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from benchmarks.work import work
from penstock.executor import AgentContext


async def worker(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Says the tokens that its task asks for."""
    async with aclosing(work(task)) as tokens:
        async for token in tokens:
            yield token
