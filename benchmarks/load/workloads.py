"""The kinds of load, and what each is told; one says how long it may last, in seconds."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from benchmarks.load.callers import Caller
from benchmarks.work import task


@dataclass(frozen=True, slots=True)
class Loaded:
    """Represents what a load saw: how many units of work were done, in which time (s), and its metrics (ms)."""

    units: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unary:
    """Calls an instant agent (one token) over and over, `at_once` calls at a time; a unit is a call."""

    at_once: int
    seconds: float

    async def run(self, caller: Caller) -> Loaded:
        """Puts the load on; raises when an answer is wrong."""
        took: list[float] = []
        begin = time.monotonic()

        async def call_often() -> None:
            while (start := time.monotonic()) < begin + self.seconds:
                _check(1, (await caller.execute(task(1))).split())
                took.append(time.monotonic() - start)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(call_often())
        return Loaded(len(took), time.monotonic() - begin, _percentiles("call", took))


@dataclass(frozen=True, slots=True)
class Paced:
    """Reads `streams` streams at once, each of `per_second` tokens a second; a unit is a token.

    They begin one after another within `begin_within` seconds, so that their tokens don't fall together.
    """

    streams: int
    per_second: float
    seconds: float
    begin_within: float

    async def run(self, caller: Caller) -> Loaded:
        """Puts the load on; raises when a token is missing."""
        tokens = round(self.seconds * self.per_second)
        first: list[float] = []
        late: list[float] = []
        begin = time.monotonic()

        async def read(wait: float) -> None:
            await asyncio.sleep(wait)
            start, count = time.monotonic(), 0
            async with aclosing(caller.stream(task(tokens, self.per_second))) as stream:
                async for token in stream:
                    now = time.monotonic()
                    if not count:
                        first.append(now - start)
                    late.append(now - float(token))
                    count += 1
            _check(tokens, range(count))

        async with asyncio.TaskGroup() as group:
            for number in range(self.streams):
                group.create_task(read(self.begin_within * number / self.streams))
        metrics = _percentiles("first_token", first) | _percentiles("token", late)
        return Loaded(len(late), time.monotonic() - begin, metrics)


@dataclass(frozen=True, slots=True)
class Flood:
    """Reads one stream after another of an agent that never waits; a unit is a token."""

    tokens: int
    seconds: float

    async def run(self, caller: Caller) -> Loaded:
        """Puts the load on; raises when a token is missing."""
        begin, count = time.monotonic(), 0
        while time.monotonic() < begin + self.seconds:
            before = count
            async with aclosing(caller.stream(task(self.tokens))) as stream:
                async for _ in stream:
                    count += 1
            _check(self.tokens, range(count - before))
        return Loaded(count, time.monotonic() - begin)


@dataclass(frozen=True, slots=True)
class Idle:
    """Calls nothing; a unit is a second."""

    seconds: float

    async def run(self, caller: Caller) -> Loaded:
        """Waits."""
        await asyncio.sleep(self.seconds)
        return Loaded(1, self.seconds)


Workload = Unary | Paced | Flood | Idle
KINDS: Final[dict[str, type[Workload]]] = {"unary": Unary, "paced": Paced, "flood": Flood, "idle": Idle}


def _check(tokens: int, got: Sequence[object]) -> None:
    if len(got) != tokens:
        raise RuntimeError(f"{len(got)} tokens came instead of {tokens}")


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        raise RuntimeError(f"only {len(seconds)} of {name} measured: it lasts too short a time")
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"{name}_p50_ms": cuts[49] * 1e3, f"{name}_p99_ms": cuts[98] * 1e3}
