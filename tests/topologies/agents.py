"""Agents and tools that the meshes under test serve."""

import asyncio
import os
from collections.abc import AsyncIterator

from penstock.executor import AgentContext, Custom, Output, Progress, Reasoning, Usage
from penstock.tools import tool


async def echo(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Says what it was told, word by word."""
    for word in task.split():
        yield word + " "


async def paced(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Counts to the number that its task is, one number every 10 ms."""
    for number in range(int(task)):
        await asyncio.sleep(0.01)
        yield f"{number} "


async def endless(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Never ends by itself."""
    while True:
        await asyncio.sleep(0.01)
        yield "… "


async def flood(task: str, context: AgentContext) -> AsyncIterator[str | Output]:
    """Writes as many numbered kibibytes as its task says, as fast as it may."""
    for number in range(int(task)):
        yield f"{number:08d}".ljust(1024, ".")
    yield Output("written")


async def fails(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Says something and raises, with a secret in the error's text."""
    yield "so far so good"
    raise RuntimeError("secret-4711")


async def exits(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Tries to end the process that it runs in."""
    yield "leaving"
    raise SystemExit(3)


async def pids(task: str, context: AgentContext) -> AsyncIterator[str | Output]:
    """Tells in which processes an agent and a tool run."""
    yield Output({"executor": os.getpid(), "tools": await context.call_tool("process_id")})


async def tells(
    task: str, context: AgentContext
) -> AsyncIterator[str | Custom | Progress | Reasoning | Usage | Output]:
    """Uses every kind of event."""
    yield Reasoning("let me see")
    yield Progress("half way", fraction=0.5)
    yield Custom("mood", {"good": True, "number": 2**63})
    yield Usage(input_tokens=3, output_tokens=2)
    yield "sum: "
    total = await context.call_tool("add", a=2, b=40)
    yield str(total)


async def remembers(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Says how many messages came before, and the last one."""
    last = context.history[-1].text if context.history else "nothing"
    yield f"{len(context.history)} before, last: {last}"


async def reads_results(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Says what the steps before have found."""
    yield ";".join(f"{step}={result}" for step, result in context.results.items()) or "nothing"


async def keeps(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Counts its runs in a value of the tenant's."""
    count = (await context.state.get("count") or 0) + 1
    await context.state.set("count", count)
    yield str(count)


async def unlucky(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Fails on its first attempt, and succeeds on the second."""
    yield f"attempt {context.attempt}"
    if context.attempt < 2:
        raise RuntimeError("not yet")


async def asks_wrongly(task: str, context: AgentContext) -> AsyncIterator[str]:
    """Calls a tool that nobody has."""
    await context.call_tool("ad", a=1, b=2)
    yield "unreachable"


@tool(effect="none")
def add(a: int, b: int) -> int:
    """Adds two whole numbers."""
    return a + b


@tool(effect="none")
def process_id() -> int:
    """Tells in which process tools run."""
    return os.getpid()


@tool(effect="none")
def breaks(text: str) -> str:
    """Raises, with a secret in the error's text."""
    raise RuntimeError("secret-4711 " + text)
