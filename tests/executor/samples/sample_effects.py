"""Tools that count how often they are called, with each effect."""

import asyncio
from typing import Any

from penstock.tools import ToolContext, ToolError, tool

counts: dict[str, int] = {}
keys: list[str] = []
started = asyncio.Event()
go_on = asyncio.Event()


def _count(name: str, context: ToolContext) -> None:
    counts[name] = counts.get(name, 0) + 1
    keys.append(context.idempotency_key)


@tool(effect="none")
async def echo(value: Any, context: ToolContext) -> Any:
    _count("echo", context)
    return value


@tool(effect="idempotent")
async def put(value: int, context: ToolContext) -> str:
    _count("put", context)
    return f"put {value}"


@tool(effect="once")
async def send(to: str, context: ToolContext) -> str:
    _count("send", context)
    return f"sent to {to}"


@tool(effect="once")
async def send_slowly(context: ToolContext) -> str:
    _count("send_slowly", context)
    started.set()
    await go_on.wait()
    return "sent"


@tool(effect="idempotent")
async def put_slowly(context: ToolContext) -> str:
    _count("put_slowly", context)
    if counts["put_slowly"] == 1:
        started.set()
        await go_on.wait()
    return "put"


@tool(effect="none")
async def fails_first(context: ToolContext) -> str:
    _count("fails_first", context)
    if counts["fails_first"] == 1:
        raise ToolError("not yet")
    return "now"


@tool(effect="once")
async def breaks(context: ToolContext) -> str:
    _count("breaks", context)
    raise ToolError("broken")


@tool(effect="none")
def big() -> str:
    return "x" * (1024 * 1024)


TOOLS = [echo, put, send, send_slowly, put_slowly, fails_first, breaks, big]
