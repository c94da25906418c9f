"""Tools of every kind, good and bad."""

import asyncio
import sys
import threading
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from penstock.tools import ToolContext, ToolError, tool

released = threading.Event()
started = asyncio.Event()
cancelled = asyncio.Event()


@dataclass
class Point:
    x: int
    y: int = 0


@tool(effect="none", timeout=5)
def repeat(text: str, times: Annotated[int, Field(ge=1, le=10)] = 2) -> str:
    """Repeats a text.

    As often as asked.
    """
    return text * times


async def undeclared(point: Point, unit: Literal["m", "ft"] = "m") -> dict[str, Any]:
    return {"x": point.x, "y": point.y, "unit": unit}


@tool
def awkward_names(json: int, schema: int, _private: int, model_config: int) -> list[int]:
    return [json, schema, _private, model_config]


@tool(effect="idempotent")
def who_asks(context: ToolContext) -> dict[str, str]:
    return {"key": context.idempotency_key, "run": context.run_id, "tenant": context.tenant, "user": context.user}


@tool(effect="none")
def anything(value: Any) -> Any:
    return value


@tool
def in_thread() -> bool:
    return threading.current_thread() is not threading.main_thread()


@tool
def refuses() -> None:
    raise ToolError("the pump is switched off")


@tool
def leaks() -> None:
    raise KeyError("secret-password")


@tool
def exits() -> None:
    sys.exit(3)


@tool
async def exits_async() -> None:
    raise SystemExit(3)


@tool
def stops_iterating() -> None:
    raise StopIteration


@tool(timeout=0.05)
async def never() -> None:
    await asyncio.Event().wait()


@tool
async def waits() -> None:
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        cancelled.set()


@tool(timeout=0.05)
async def stubborn() -> None:
    while not released.is_set():
        try:
            await asyncio.sleep(0.3)
        except asyncio.CancelledError:
            continue


@tool(timeout=0.05)
def hangs() -> None:
    released.wait(10)


@tool
def returns_socket() -> object:
    return object()


@tool
def returns_nan() -> float:
    return float("nan")


@tool
def returns_too_much() -> str:
    return "x" * (1024 * 1024)


@tool
def returns_dataclass() -> list[Point]:
    return [Point(1, 2)]


EVERYTHING = [
    repeat, undeclared, awkward_names, who_asks, anything, in_thread, refuses, leaks, exits, exits_async,
    stops_iterating, never, waits, stubborn, hangs, returns_socket, returns_nan, returns_too_much, returns_dataclass,
]  # fmt: skip


class Pump:
    """An object that holds tools."""

    def __init__(self, level: int) -> None:
        self.level = level

    @tool(effect="none", name="pump.level")
    def read_level(self) -> int:
        return self.level

    def no_tool(self) -> None: ...


pump = Pump(7)


def takes_anything(*args: int) -> None: ...


def takes_socket(socket: object.__class__.__class__) -> None: ...


@tool(name="repeat")
def another_repeat() -> None: ...


@tool(name="has spaces")
def bad_name() -> None: ...


def generates() -> Any:
    yield 1


def _explodes(value: object) -> int:
    raise KeyError("a fault in the tool's own types")


def reads_badly(number: Annotated[int, BeforeValidator(_explodes)]) -> int:
    return number


def returns_badly() -> Any:
    return (1 // number for number in [0])
