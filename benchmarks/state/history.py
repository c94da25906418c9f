"""Whether a long past makes the present dearer, and whether the -wal stays short under full load."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.state.house import TENANT, House, open_house
from benchmarks.state.workloads import Bench, Metrics, batched
from penstock.v1.run_event_pb2 import RunEvent, RunFinished, StepFinished, StepOutcome, Token
from penstock.v1.run_log_pb2 import ReadEventsRequest
from penstock.v1.run_pb2 import Content, RunState

AT_ONCE: Final = 250
PIECES: Final = 10
LOOK: Final = 0.002


async def grow(house: House, runs: int, events: int) -> None:
    """Gives a store a past: so many runs that have ended, with so many events together."""
    tokens = max(1, events // runs - 4)
    say = [RunEvent(step_id="main", attempt=1, token=Token(text="a token of the past"))] * tokens
    finished = StepFinished(outcome=StepOutcome.STEP_OUTCOME_SUCCEEDED, output=[Content(text="done")])
    end = [
        RunEvent(step_id="main", attempt=1, step_finished=finished),
        RunEvent(run_finished=RunFinished(state=RunState.RUN_STATE_SUCCEEDED, output_step_id="main")),
    ]
    for first in range(0, runs, AT_ONCE):
        names = await house.begin(f"past-{first}", min(AT_ONCE, runs - first))
        await house.append(names, "", say)
        await house.append(names, "", end)


async def flat(bench: Bench, runs: int, events: int) -> Metrics:
    """Appends and reads on an empty store and on one with a past, by turns of a quarter of a second."""
    async with _other(bench) as other:
        await grow(bench.house, runs, events)
        spent: dict[tuple[str, bool], list[float]] = {}
        turns = max(4, round(bench.seconds / 0.5))
        for turn in range(turns):
            for old in (True, False) if turn % 2 else (False, True):
                one = bench if old else other
                names = await one.begin(64)
                for what, cost in (
                    ("append", await _append(one.house, names)),
                    ("read", await _read(one.house, names)),
                ):
                    spent.setdefault((what, old), []).append(cost)
    metrics: Metrics = {}
    for what in ("append", "read"):
        before, after = (sorted(spent[what, old])[turns // 2] for old in (False, True))
        metrics |= {f"{what}_us": before, f"{what}_with_past_us": after, f"{what}_ratio": after / before}
    return metrics


async def _append(house: House, names: Sequence[str]) -> float:
    begin = time.process_time()
    for _ in range(PIECES):
        await house.append(names, "now")
    return (time.process_time() - begin) / (PIECES * len(names)) * 1e6


async def _read(house: House, names: Sequence[str]) -> float:
    begin, events = time.process_time(), 0
    for name in names:
        async for response in house.log.ReadEvents(ReadEventsRequest(tenant=TENANT, run_id=name)):
            events += len(response.events)
    return (time.process_time() - begin) / events * 1e6


@asynccontextmanager
async def _other(bench: Bench) -> AsyncGenerator[Bench]:
    url = f"sqlite:///{bench.home}/empty-{time.monotonic_ns()}.db"
    async with open_house(url) as house:
        yield Bench(house, url, bench.home, bench.seconds)


def _kept_waiting() -> float:
    """Returns for how many seconds this thread has waited for a processor that others had (Linux; see proc(5))."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


async def wal(bench: Bench) -> Metrics:
    """Full load; meanwhile the -wal's length, and how long the loop did nothing else, are looked at all the time.

    What the machine's other programs take of the processors is no stall of ours.
    """
    path = Path(bench.url.removeprefix("sqlite:///"))
    longest = 0
    stalls: list[float] = []

    async def look() -> None:
        nonlocal longest
        until = time.perf_counter() + bench.seconds
        while time.perf_counter() < until:  # not while the load adds up what it has seen
            before, kept_waiting = time.perf_counter(), _kept_waiting()
            await asyncio.sleep(LOOK)
            others = _kept_waiting() - kept_waiting
            stalls.append(max(0.0, time.perf_counter() - before - LOOK - others) * 1e3)
            with contextlib.suppress(FileNotFoundError):
                longest = max(longest, path.with_name(f"{path.name}-wal").stat().st_size)

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(look())
        metrics = await batched(bench)
        looking.cancel()
    ordered = sorted(stalls)
    return {
        "per_second": metrics["per_second"],
        "wal_mib": longest / 2**20,
        "stall_p99_ms": ordered[int(len(ordered) * 0.99)],
        "stall_max_ms": ordered[-1],
    }
