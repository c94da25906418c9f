"""Agents of every kind, good and bad."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from penstock.executor import (
    AgentContext,
    AgentError,
    Custom,
    Output,
    Progress,
    Reasoning,
    ToolCallFailed,
    TurnFinished,
    Usage,
)

Items = AsyncGenerator[Any, None]


@dataclass
class Scene:
    """What a test and an agent share: events to wait for, and what the agent noted."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    seen: dict[str, Any] = field(default_factory=dict)


scene = Scene()


async def words(task: str, context: AgentContext) -> Items:
    """Says its task,
    word by word.

    And nothing else.
    """
    for word in task.split():
        yield word + " "


async def everything(task: str, context: AgentContext) -> Items:
    yield Reasoning("let me see")
    yield ""
    yield Progress("half", 0.5)
    yield "text"
    yield Usage(input_tokens=3, output_tokens=2, model_requests=1)
    yield Custom("note", {"n": 12345678901234567890, "list": []})
    yield TurnFinished()
    yield TurnFinished()
    yield Output({"answer": [1, 2]})


async def looks_around(task: str, context: AgentContext) -> Items:
    scene.seen.update(
        task=task,
        request_id=context.request.request_id,
        tenant=context.request.tenant,
        place=(context.run_id, context.step_id, context.attempt, context.session_id),
        history=[(message.role, message.text) for message in context.history],
        input=context.input,
        results=dict(context.results),
    )
    yield "seen"


async def long(task: str, context: AgentContext) -> Items:
    yield "é" * 100_000


async def too_long(task: str, context: AgentContext) -> Items:
    for _ in range(40):
        yield "x" * 32_768


async def raises(task: str, context: AgentContext) -> Items:
    yield "so far "
    raise ValueError("secret-password")


async def exits(task: str, context: AgentContext) -> Items:
    yield "so far "
    sys.exit(3)


async def interrupts(task: str, context: AgentContext) -> Items:
    raise KeyboardInterrupt
    yield ""


async def cancels_itself(task: str, context: AgentContext) -> Items:
    raise asyncio.CancelledError
    yield ""


async def yields_wrong(task: str, context: AgentContext) -> Items:
    yield {"text": "no"}


async def yields_surrogate(task: str, context: AgentContext) -> Items:
    yield "\ud800"


async def outputs_nan(task: str, context: AgentContext) -> Items:
    yield Output(float("nan"))


async def outputs_deep(task: str, context: AgentContext) -> Items:
    deep: list[object] = []
    for _ in range(101):
        deep = [deep]
    yield Output(deep)


async def explains(task: str, context: AgentContext) -> Items:
    raise AgentError("the text is in no language I know", reason="LANGUAGE")
    yield ""


async def waits(task: str, context: AgentContext) -> Items:
    yield "before "
    scene.started.set()
    try:
        await scene.go_on.wait()
    finally:
        scene.ended.set()
    yield "after"


async def stubborn(task: str, context: AgentContext) -> Items:
    yield "before "
    scene.started.set()
    while not scene.go_on.is_set():
        try:
            await scene.go_on.wait()
        except asyncio.CancelledError:
            scene.ended.set()
    yield "after"


async def streams_for_ever(task: str, context: AgentContext) -> Items:
    try:
        while True:
            yield "word "
            scene.started.set()
            await asyncio.sleep(0)
    finally:
        scene.ended.set()


async def floods(task: str, context: AgentContext) -> Items:
    try:
        while True:
            scene.seen["kilobytes"] = scene.seen.get("kilobytes", 0) + 16
            yield "x" * 16_384
    finally:
        scene.ended.set()


async def calls(task: str, context: AgentContext) -> Items:
    """Calls the tools its input names, one after the other: {"tool": …, "arguments": {…}}."""
    for wish in context.input[1:]:
        try:
            result = await context.call_tool(wish["tool"], wish.get("arguments"))
        except ToolCallFailed as error:
            yield f"[{error.tool} {error.outcome}: {error}]"
        else:
            yield f"[{wish['tool']} {result!r}]"
        if wish.get("raise"):
            raise ValueError("after the call")


async def calls_at_once(task: str, context: AgentContext) -> Items:
    results = await asyncio.gather(*(context.call_tool("echo", value=n) for n in range(20)))
    yield repr(results)


async def sends_slowly(task: str, context: AgentContext) -> Items:
    yield str(await context.call_tool("send_slowly"))


async def calls_with_socket(task: str, context: AgentContext) -> Items:
    try:
        await context.call_tool("echo", value=object())
    except TypeError as error:
        yield f"no: {error}"


async def keeps_state(task: str, context: AgentContext) -> Items:
    state = context.state
    assert await state.get("count") is None
    assert await state.get("count", 7) == 7
    version = await state.set("count", {"n": 2**70, "empty": []})
    entry = await state.read("count")
    assert entry is not None
    assert (entry.value, entry.version) == ({"n": 2**70, "empty": []}, version)
    assert not (await state.compare_and_set("count", 1, version=version - 1)).applied
    assert not (await state.compare_and_set("count", 1, version=None)).applied
    written = await state.compare_and_set("count", 1, version=version)
    assert written.applied
    assert written.version > version
    await state.set("count%2", 2, ttl=60)
    assert await state.list("count") == ("count", "count%2")
    assert await state.list("count", most=1) == ("count",)
    assert await state.delete("count")
    assert not await state.delete("count")
    yield "kept"


async def one_answer(task: str, context: AgentContext) -> str:
    return task


def not_async(task: str, context: AgentContext) -> Any:
    yield task


async def lonely(task: str) -> Items:
    yield task


async def greedy(task: str, context: AgentContext, more: str) -> Items:
    yield task


class Greeter:
    """An agent that is a method."""

    async def greet(self, task: str, context: AgentContext) -> Items:
        yield f"hello {task}"


greeter = Greeter()
