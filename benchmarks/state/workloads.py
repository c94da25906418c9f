"""What is put on the state layer, and what is measured meanwhile."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.state.bare import open_bare
from benchmarks.state.following import Seen, following, token
from benchmarks.state.house import House

Metrics = dict[str, float]

TICK: Final = 0.002
BODY: Final = bytes(90)  # what an entry of one token takes in the journal


@dataclass(frozen=True, slots=True)
class Bench:
    """Holds what a workload needs: a state layer, its store's address, a directory, and for how many seconds."""

    house: House
    url: str
    home: Path
    seconds: float

    async def begin(self, count: int) -> list[str]:
        """Records new runs."""
        return await self.house.begin(f"r{time.monotonic_ns()}", count)


async def flood(bench: Bench) -> Metrics:
    """64 runs append one event each, again and again as soon as it is committed, and are followed."""
    runs = await bench.begin(64)
    async with following(bench.house, bench.url, runs) as follower:
        begin, cpu = time.monotonic(), time.process_time()
        until = begin + bench.seconds
        counts = await asyncio.gather(*(_append_until(bench.house, [run], until) for run in runs))
        seen = await follower.all_of(sum(counts))
        return _metrics(seen, sum(counts), begin, cpu)


async def batched(bench: Bench) -> Metrics:
    """The same, but all 64 in one call, as a process appends that drives them."""
    runs = await bench.begin(64)
    async with following(bench.house, bench.url, runs) as follower:
        begin, cpu = time.monotonic(), time.process_time()
        count = 64 * await _append_until(bench.house, runs, begin + bench.seconds)
        return _metrics(await follower.all_of(count), count, begin, cpu)


async def bare(bench: Bench) -> Metrics:
    """64 tasks write one row each to a bare group-committing writer, again and again as soon as it is committed."""
    count = 0
    with open_bare(bench.home / f"bare-{time.monotonic_ns()}.db") as writer:
        begin, cpu = time.monotonic(), time.process_time()
        until = begin + bench.seconds

        async def write() -> None:
            nonlocal count
            while time.monotonic() < until:
                await writer.write(BODY)
                count += 1

        await asyncio.gather(*(write() for _ in range(64)))
        return _metrics(Seen(), count, begin, cpu)


async def alone(bench: Bench) -> Metrics:
    """One run appends one event after another, and nothing else happens."""
    runs = await bench.begin(1)
    took: list[float] = []
    begin, cpu = time.monotonic(), time.process_time()
    until = begin + bench.seconds
    while time.monotonic() < until:
        before = time.perf_counter()
        await bench.house.append(runs, token())
        took.append((time.perf_counter() - before) * 1e3)
    return _metrics(Seen(took), len(took), begin, cpu)


async def paced(bench: Bench, streams: int = 60, per_second: int = 50) -> Metrics:
    """Runs say one token after another, each at its own times; what is due within a tick goes in one call."""
    runs = await bench.begin(streams)
    async with following(bench.house, bench.url, runs) as follower:
        begin, cpu = time.monotonic(), time.process_time()
        count = 0
        while (now := time.monotonic() - begin) < bench.seconds:
            due = math.floor(now * streams * per_second) - count
            for first in range(0, due, streams):
                some = range(first, min(due, first + streams))
                await bench.house.append([runs[(count + number) % streams] for number in some], token())
            count += due
            await asyncio.sleep(TICK)
        return _metrics(await follower.all_of(count), count, begin, cpu)


async def idle_ticks(bench: Bench) -> Metrics:
    """Nothing but the ticks of the paced load, which are not the state layer's."""
    begin, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - begin < bench.seconds:  # noqa: ASYNC110 - the ticks are what is measured
        await asyncio.sleep(TICK)
    return _metrics(Seen(), round(bench.seconds * 60 * 50), begin, cpu)


async def _append_until(house: House, runs: Sequence[str], until: float) -> int:
    count = 0
    while time.monotonic() < until:
        await house.append(runs, token())
        count += 1
    return count


def _metrics(seen: Seen, units: int, begin: float, cpu: float) -> Metrics:
    used = time.process_time() - cpu + seen.cpu
    metrics = {"cpu_us": used / units * 1e6, "per_second": units / (time.monotonic() - begin)}
    return metrics | lateness(seen.late_ms)


def lateness(late_ms: Sequence[float]) -> Metrics:
    """Returns the usual percentiles; nothing where nothing was timed."""
    ordered = sorted(late_ms)
    shares = (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))
    return {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in shares if ordered}
