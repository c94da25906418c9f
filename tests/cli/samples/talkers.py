"""Agents and tools for the tests of what the command line shows."""

import asyncio
from collections.abc import AsyncGenerator

from penstock.executor import AgentContext, AgentError, AgentEvent, Reasoning, Usage
from penstock.tools import tool


async def echo(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Says how many messages came before, and its task."""
    yield f"{len(context.history)} before. "
    yield f"You said: {task}"
    yield Usage(input_tokens=10, output_tokens=2, model_requests=1)


async def waits(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Says its task, and waits until it is cancelled, unless the task is `go on`."""
    yield f"heard {task}\n"
    if task != "go on":
        await asyncio.Event().wait()


async def unlucky(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Fails on its first attempt after a tool call, and succeeds on the second."""
    yield Reasoning("let me see")
    length = await context.call_tool("weigh", text=task)
    if context.attempt < 2:
        yield f"WRONG {length}"
        raise AgentError("not yet")
    yield f"RIGHT {length}"


async def writes(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Says its task word by word, fifty times, with escape sequences and wide characters between."""
    for number in range(50):
        for word in task.split(" "):
            yield f"{word} "
        yield f"{number} 日本語 \x1b[2J\x1b[31m\n"
        await asyncio.sleep(0)


async def calls(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Calls a tool that never ends by itself."""
    yield "calling"
    await context.call_tool("ponder", text=task)


@tool(effect="none", timeout=5)
def weigh(text: str) -> int:
    """Counts the characters of a text."""
    return len(text)


@tool(effect="none", timeout=60)
async def ponder(text: str) -> str:
    """Waits for ever."""
    await asyncio.Event().wait()
    return text
