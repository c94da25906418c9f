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

    They begin one after another within `begin_within` seconds, so that their tokens don't fall together. How late a
    token is counts from when it was due; `reached_per_second` is the pace of all streams together that was kept.
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
        rates: list[float] = []
        begin = time.monotonic()

        async def read(wait: float) -> None:
            await asyncio.sleep(wait)
            start = time.monotonic()
            seen: list[float] = []
            async with aclosing(caller.stream(task(tokens, self.per_second))) as stream:
                async for token in stream:
                    seen.append(time.monotonic())
                    late.append(seen[-1] - float(token))
            _check(tokens, seen)
            first.append(seen[0] - start)
            rates.append((tokens - 1) / (seen[-1] - start))

        async with asyncio.TaskGroup() as group:
            for number in range(self.streams):
                group.create_task(read(self.begin_within * number / self.streams))
        metrics = _percentiles("first_token", first) | _percentiles("token", late) | {"reached_per_second": sum(rates)}
        return Loaded(len(late), time.monotonic() - begin, metrics)


@dataclass(frozen=True, slots=True)
class First:
    """Reads one stream after another, of two tokens 20 ms apart, with nothing else going on; a unit is a stream."""

    seconds: float

    async def run(self, caller: Caller) -> Loaded:
        """Puts the load on; raises when a token is missing."""
        first: list[float] = []
        begin = time.monotonic()
        while (start := time.monotonic()) < begin + self.seconds:
            seen: list[float] = []
            async with aclosing(caller.stream(task(2, 50))) as stream:
                async for _ in stream:
                    seen.append(time.monotonic() - start)
            _check(2, seen)
            first.append(seen[0])
        return Loaded(len(first), time.monotonic() - begin, _percentiles("first_token", first))


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


Workload = Unary | Paced | First | Flood | Idle
KINDS: Final[dict[str, type[Workload]]] = {
    "unary": Unary,
    "paced": Paced,
    "first": First,
    "flood": Flood,
    "idle": Idle,
}


def _check(tokens: int, got: Sequence[object]) -> None:
    if len(got) != tokens:
        raise RuntimeError(f"{len(got)} tokens came instead of {tokens}")


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        raise RuntimeError(f"only {len(seconds)} of {name} measured: it lasts too short a time")
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {f"{name}_p50_ms": cuts[49] * 1e3, f"{name}_p99_ms": cuts[98] * 1e3}
