"""The systems that are compared, each as the processes it consists of."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.generator import LoadGenerator
from benchmarks.process import ROOT, Served, serve, stop

PYTHON: Final = sys.executable
PENSTOCKD: Final = str(Path(PYTHON).with_name("penstockd"))
# Layer and which layers it calls, in the order in which they start.
LAYERS: Final = {
    "state": (),
    "tools": (),
    "executor": ("state", "tools"),
    "orchestrator": ("state", "executor", "tools"),
    "gateway": ("state", "orchestrator", "executor", "tools"),
}

Start = Callable[[str, list[str]], Awaitable[Served]]
"""Starts a program under a name and returns once it serves."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Represents a system to measure: its name, how to call it, and how to start it.

    `start` returns the process to call, which need not be the only one.
    """

    title: str
    caller: str
    start: Callable[[Start, Path], Awaitable[Served]]


@dataclass(frozen=True, slots=True)
class System:
    """Represents a running system, with a load generator that is connected to it."""

    name: str
    title: str
    processes: tuple[Served, ...]
    generator: LoadGenerator

    @property
    def pids(self) -> list[int]:
        """The ids of all processes that serve, whose CPU time is summed."""
        return [served.pid for served in self.processes]


async def penstock_whole(start: Start, directory: Path) -> Served:
    """Starts Penstock in one process."""
    return await start("penstock", _penstockd(directory, *LAYERS))


async def penstock_split(start: Start, directory: Path) -> Served:
    """Starts Penstock with a process per layer."""
    running: dict[str, Served] = {}
    for layer, needs in LAYERS.items():
        connects = [f"--connect={need}={running[need].address}" for need in needs]
        running[layer] = await start(f"penstock-{layer}", [*_penstockd(directory, layer), *connects])
    return running["gateway"]


def _penstockd(directory: Path, *layers: str) -> list[str]:
    own = ["--layers", ",".join(layers), "--listen=127.0.0.1:0", f"--app-dir={ROOT}"]
    if "executor" in layers:
        own.append("--agent=worker=benchmarks.hops.penstock_agent:worker")
    if "state" in layers:
        own.append(f"--state=sqlite:///{directory / 'penstock.db'}")
    return [PENSTOCKD, *own]


async def grpc_chain(start: Start, directory: Path) -> Served:
    """Starts three bare grpc.aio services."""
    return await _chain(start, "grpc", "benchmarks.hops.grpc_hop")


async def http_chain(start: Start, directory: Path) -> Served:
    """Starts three FastAPI services."""
    return await _chain(start, "http", "benchmarks.hops.http_hop")


async def _chain(start: Start, name: str, module: str) -> Served:
    program = [PYTHON, "-m", module]
    executor = await start(f"{name}-executor", program)
    orchestrator = await start(f"{name}-orchestrator", [*program, "--next", executor.address])
    return await start(f"{name}-gateway", [*program, "--next", orchestrator.address])


SYSTEMS: Final[Mapping[str, Kind]] = {
    "one": Kind("Penstock, one process", "penstock", penstock_whole),
    "split": Kind("Penstock, a process per layer", "penstock", penstock_split),
    "chain": Kind("bare grpc.aio, three processes", "grpc", grpc_chain),
    "fastapi": Kind("FastAPI + httpx, three processes", "http", http_chain),
}


@asynccontextmanager
async def open_system(name: str, home: Path) -> AsyncIterator[System]:
    """Starts a system with its load generator, and stops all of its processes, the last one first."""
    kind = SYSTEMS[name]
    directory = home / name
    directory.mkdir()
    processes: list[Served] = []
    async with AsyncExitStack() as stack:

        async def start(label: str, program: list[str]) -> Served:
            served = await serve(label, program, directory)
            stack.push_async_callback(stop, served.process)
            processes.append(served)
            return served

        door = await kind.start(start, directory)
        generator = await LoadGenerator.start(kind.caller, door.address, directory / "load.log")
        stack.push_async_callback(generator.stop)
        yield System(name, kind.title, tuple(processes), generator)
