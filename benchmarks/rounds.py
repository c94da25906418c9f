"""The measurement: every workload on every system, one after another, in several short rounds."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks import cpu
from benchmarks.load.workloads import First, Flood, Idle, Paced, Unary, Workload
from benchmarks.process import ProcessFailed
from benchmarks.systems import System

# Work that follows an answer (a run's last records, a stream's end) belongs to it.
SETTLE_SECONDS: Final = 0.1
WARM_UP: Final[Sequence[Workload]] = (
    Unary(32, 0.5),
    Unary(1, 0.2),
    Paced(40, 25, 0.4, 0.2),
    First(0.2),
    Flood(2_000, 0.1),
)
WORKLOADS: Final[Mapping[str, Workload]] = {
    "unary": Unary(at_once=32, seconds=1.0),
    "alone": Unary(at_once=1, seconds=0.5),
    "first": First(seconds=0.5),
    "paced": Paced(streams=60, per_second=50, seconds=2.0, begin_within=0.5),
    "paced-light": Paced(streams=40, per_second=25, seconds=2.0, begin_within=0.5),
    "flood": Flood(tokens=5_000, seconds=0.5),
    "idle": Idle(seconds=3.0),
}
USUAL: Final = ("unary", "alone", "first", "paced", "paced-light", "flood")


@dataclass(frozen=True, slots=True)
class Measurement:
    """Represents one workload on one system in one round.

    `metrics` has the load generator's, and `cpu_us` (CPU microseconds a unit, all serving processes), `per_second`
    (units a second), `per_cpu_second` (units a second of CPU), `load_cpu_us` (of the load generator, for each unit)
    and `other_cores` (processors kept busy meanwhile by anything else on the machine).
    """

    system: str
    workload: str
    round: int
    metrics: dict[str, float]


def shortened(workload: Workload, share: float) -> Workload:
    """Returns the same workload for this share of its time."""
    return dataclasses.replace(workload, seconds=workload.seconds * share)


async def measure(system: System, name: str, workload: Workload, number: int) -> Measurement:
    """Puts a workload on a system, and reads before and after what its processes have used."""
    await asyncio.sleep(SETTLE_SECONDS)
    begin, machine = time.monotonic(), cpu.of_machine()
    serving, load = cpu.of_processes(system.pids), cpu.of_process(system.generator.pid)
    try:
        loaded = await system.generator.put(workload)
    except ProcessFailed as error:
        raise ProcessFailed(f"{system.title}, {name}, round {number + 1}: {error}") from None
    await asyncio.sleep(SETTLE_SECONDS)
    serving = cpu.of_processes(system.pids) - serving
    load = cpu.of_process(system.generator.pid) - load
    other = max(0.0, cpu.of_machine() - machine - serving - load) / (time.monotonic() - begin)
    metrics = {
        "units": float(loaded.units),
        "cpu_us": serving / loaded.units * 1e6,
        "per_second": loaded.units / loaded.seconds,
        "load_cpu_us": load / loaded.units * 1e6,
        "other_cores": other,
        **loaded.metrics,
    }
    if serving:
        metrics["per_cpu_second"] = loaded.units / serving
    return Measurement(system.name, name, number, metrics)


async def warm_up(systems: Sequence[System]) -> None:
    """Has every system do some of everything, so that nothing is measured that happens once only."""
    for system in systems:
        for workload in WARM_UP:
            await system.generator.put(workload)


async def run_rounds(
    systems: Sequence[System],
    workloads: Mapping[str, Workload],
    rounds: int,
    until: float,
    say: Callable[[str], None],
) -> list[Measurement]:
    """Measures everything in each round; each round begins with another system, so that none has the best place.

    None but the first is begun that would, as long as the one before, end after `until` on the monotonic clock.
    """
    found: list[Measurement] = []
    for number in range(rounds):
        begin, first = time.monotonic(), number % len(systems)
        order = [*systems[first:], *systems[:first]]
        for name, workload in workloads.items():
            found += [await measure(system, name, workload, number) for system in order]
        took = time.monotonic() - begin
        say(f"round {number + 1} of {rounds}: {took:.0f} s")
        if number + 1 < rounds and time.monotonic() + took > until:
            say(f"no time is left for {rounds - number - 1} more")
            break
    return found
