"""An agent and a tool, as their author writes them; `penstockd --agent hello=agent:hello` serves them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import assert_type

from penstock.executor import AgentContext, AgentEvent, Progress, Usage
from penstock.tools import ToolContext, tool


@tool(effect="none", timeout=5)
def count_words(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())


@tool(effect="idempotent")
async def remember(text: str, context: ToolContext) -> str:
    """Keeps a text under the key of its call."""
    return f"{context.idempotency_key}: {text}"


async def hello(task: str, context: AgentContext) -> AsyncGenerator[str | AgentEvent]:
    """Says how many words its task has."""
    assert_type(context.attempt, int)
    yield Progress("counting", 0.5)
    words: object = await context.call_tool("count_words", text=task)
    yield f"Your task has {words} words."
    yield Usage(input_tokens=3, output_tokens=5)


async def waits(task: str, context: AgentContext) -> AsyncGenerator[str]:
    """Takes its time."""
    yield "so "
    await asyncio.sleep(30)
    yield "late"


assert_type(count_words("one two"), int)
