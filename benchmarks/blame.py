"""What a profile blames: the share of a system's CPU time that each module takes under a workload."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks import cpu
from benchmarks.process import ProcessFailed, spawn
from benchmarks.profiles import Place, read_cprofile, read_stacks
from benchmarks.rounds import WARM_UP, WORKLOADS, shortened
from benchmarks.systems import SYSTEMS, System, open_system

SAMPLES_A_SECOND: Final = 200
SHARE: Final = 3.0  # of the workload's usual time, for the sake of more samples
START_SECONDS: Final = 2.0
MICROSECONDS: Final = 1_000_000
TRACED: Final = str(Path(__file__).with_name("traced.py"))
LONGEST: Final = 120.0
INSIDE: Final = "What uvloop and grpc do in C is asyncio's runners.run and, in grpc's own thread, threading's."
MODULES, FUNCTIONS, NAME = 14, 4, 21

Profiles = Mapping[str, tuple[float, Counter[Place]]]
"""Process → the CPU seconds that it used, and the places to which they went."""


async def blame(name: str, workload: str, width: int) -> str:
    """Puts a workload on a system and returns, for each of its processes, the modules that took most of its CPU time.

    Raises ProcessFailed.
    """
    if workload not in WORKLOADS:
        raise ProcessFailed(f"{workload} can't be profiled: choose one of {', '.join(WORKLOADS)} with --workloads")
    sampler = shutil.which("py-spy")
    with tempfile.TemporaryDirectory(prefix="penstock-profile-") as home:
        async with asyncio.timeout(LONGEST):
            found = await (_sampled(sampler, name, workload, Path(home)) if sampler else _traced(name, workload, home))
    by = f"py-spy, {SAMPLES_A_SECOND} samples a second" if sampler else "cProfile, the event loop's thread only"
    about = f"{SYSTEMS[name].title}, {workload}: share of each process's CPU time by module, callees apart ({by})"
    lines = textwrap.wrap(f"{about}. {INSIDE}", width)
    for process, (seconds, places) in found.items():
        lines += ["", f"{process}, {seconds:.1f} s of CPU", *_shares(places, width)]
    return "\n".join(lines)


async def _sampled(sampler: str, name: str, workload: str, home: Path) -> Profiles:
    load = shortened(WORKLOADS[workload], SHARE)
    async with open_system(name, home) as system:
        await _warm_up(system)
        files = {served.name: home / f"{served.name}.stacks" for served in system.processes}
        # Where py-spy stops the process for each sample, it takes threads that wait for busy ones.
        options = ["--rate", str(SAMPLES_A_SECOND), "--format", "raw", "--full-filenames", "--nonblocking"]
        duration = ["--duration", str(round(load.seconds + START_SECONDS))]
        samplers = [
            await spawn(
                [sampler, "record", "--pid", str(served.pid), *options, *duration, "--output", str(files[served.name])],
                home / "py-spy.log",
            )
            for served in system.processes
        ]
        before = {served.name: cpu.of_process(served.pid) for served in system.processes}
        await system.generator.put(load)
        used = {served.name: cpu.of_process(served.pid) - before[served.name] for served in system.processes}
        for process in samplers:
            if await process.wait():
                raise ProcessFailed(f"py-spy failed:\n{(home / 'py-spy.log').read_text()}")
        return {name: (used[name], read_stacks(file.read_text())) for name, file in files.items()}


async def _traced(name: str, workload: str, home: str) -> Profiles:
    files: dict[str, Path] = {}

    def wrap(program: list[str], label: str, directory: Path) -> list[str]:
        files[label] = directory / f"{label}.profile"
        own = program[1:] if program[0] == sys.executable else program
        return [sys.executable, TRACED, str(files[label]), *own]

    async with open_system(name, Path(home), wrap=wrap) as system:
        await system.generator.put(shortened(WORKLOADS[workload], SHARE))
    found = {label: read_cprofile(file) for label, file in files.items()}
    return {label: (places.total() / MICROSECONDS, places) for label, places in found.items()}


async def _warm_up(system: System) -> None:
    for workload in WARM_UP:
        await system.generator.put(workload)


def _shares(places: Counter[Place], width: int) -> list[str]:
    total = places.total() or 1
    modules: Counter[str] = Counter()
    for place, cost in places.items():
        modules[place.module] += cost
    lines: list[str] = []
    for module, cost in modules.most_common(MODULES):
        hot = [(place, own) for place, own in places.most_common() if place.module == module][:FUNCTIONS]
        functions = ", ".join(f"{place.function} {100 * own / total:.1f}" for place, own in hot)
        text = f"{100 * cost / total:5.1f} %  {module:<{NAME}} {functions}"
        lines.append(text if len(text) <= width else f"{text[: width - 1]}…")
    return lines
