"""Agents for the client's and the command line's tests."""

import asyncio
from collections.abc import AsyncGenerator

from penstock.executor import AgentContext, AgentEvent, Custom, Output, Progress, Reasoning, Usage


async def count(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Counts to the number that its task is."""
    for number in range(1, int(task) + 1):
        yield f"{number} "


async def stuck(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Says that it waits, and waits until it is cancelled."""
    yield "waiting\n"
    await asyncio.Event().wait()


async def broken(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Fails after its first word."""
    yield "so "
    raise RuntimeError("a secret of the agent's")


async def rich(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Does everything that an agent can do."""
    yield Reasoning("let me think\n")
    yield Progress("measuring", 0.5)
    length = await context.call_tool("measure", text=task)
    yield Custom("length", length)
    yield f"\x1b[31m{length} characters"
    yield Usage(input_tokens=10, output_tokens=2, model_requests=1)


async def structured(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Says nothing, and has an output all the same."""
    yield Output({"task": task})
