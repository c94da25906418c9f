"""What an open stream costs in memory while nothing happens on it: the slope over waves of opened streams."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from benchmarks import memory
from benchmarks.load.held import Hold
from benchmarks.process import ProcessFailed
from benchmarks.rounds import Measurement
from benchmarks.systems import System

# What follows a stream's first token (acknowledgements, a reader's next wait) takes its memory too.
SETTLE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Waves:
    """Represents how many streams are opened in all, in how many waves of the same size."""

    streams: int
    waves: int


async def measure_memory(
    systems: Sequence[System], waves: Waves, name: str, say: Callable[[str], None]
) -> list[Measurement]:
    """Opens streams wave by wave, closes none before the end, and reads the serving processes' memory after each.

    The first wave is a warm-up: it finds memory that was freed before, and makes what is made only once. Closing waves
    would say little, since a process hands hardly any memory back. All systems do it at the same time: memory, unlike
    CPU time, doesn't depend on who else is busy.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_slopes(system, waves, name)) for system in systems]
    except BaseExceptionGroup as failed:
        # The first failure says what happened; the group around it says nothing more.
        raise failed.exceptions[0] from None
    found = [measurement for task in tasks for measurement in task.result()]
    say(f"memory of {waves.streams} idle streams on each system: measured")
    return found


async def _slopes(system: System, waves: Waves, name: str) -> list[Measurement]:
    wave = waves.streams // waves.waves
    try:
        kept = [await _after(system, wave * number) for number in range(waves.waves + 1)]
        await system.generator.put(Hold(0))
    except ProcessFailed as error:
        raise ProcessFailed(f"{system.title}, {name}: {error}") from None
    all_of_them = {"before_mb": kept[0] / 1024, "open_mb": kept[-1] / 1024}
    return [
        Measurement(system.name, name, number, {"stream_kb": (after - before) / wave, **all_of_them})
        for number, (before, after) in enumerate(pairwise(kept[1:]), start=1)
    ]


async def _after(system: System, streams: int) -> int:
    await system.generator.put(Hold(streams))
    await asyncio.sleep(SETTLE_SECONDS)
    return memory.of_processes(system.pids)
