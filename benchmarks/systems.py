"""The systems that are compared, each as the processes it consists of."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.generator import LoadGenerator
from benchmarks.process import NOTHING, ROOT, ProcessFailed, Served, serve, stop

PYTHON: Final = sys.executable
COLLECTOR: Final = "otlp-collector"
PENSTOCKD: Final = str(Path(PYTHON).with_name("penstockd"))
# Layer and which layers it calls, in the order in which they start.
LAYERS: Final = {
    "state": (),
    "tools": (),
    "executor": ("state", "tools"),
    "orchestrator": ("state", "executor", "tools"),
    "gateway": ("state", "orchestrator", "executor", "tools"),
}

Wrap = Callable[[list[str], str, Path], list[str]]
"""Changes how a program, of this name and with this directory for its files, is started."""


class Start(Protocol):
    """Starts a program under a name and returns once it serves; one that isn't `counted` only helps the others."""

    async def __call__(
        self, label: str, program: list[str], *, counted: bool = True, variables: Mapping[str, str] = NOTHING
    ) -> Served: ...


def _nothing_to_check(directory: Path) -> None:
    """Finds nothing wrong."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Represents a system to measure: its name, how to call it, and how to start it.

    `start` returns the process to call, which need not be the only one. `check` is called when all have ended, and
    raises ProcessFailed if the system did not do what its figures are taken for.
    """

    title: str
    caller: str
    start: Callable[[Start, Path], Awaitable[Served]]
    check: Callable[[Path], None] = _nothing_to_check


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


async def penstock_telling(start: Start, directory: Path) -> Served:
    """Starts Penstock in one process that exports its traces and metrics, as anybody would have it do."""
    collector = await start(COLLECTOR, [PYTHON, "-m", "benchmarks.hops.otlp_collector"], counted=False)
    variables = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.address}",
    }
    return await start("penstock", _penstockd(directory, *LAYERS), variables=variables)


def check_told(directory: Path) -> None:
    """Raises ProcessFailed unless both traces and metrics have reached the collector."""
    arrived = (directory / f"{COLLECTOR}.log").read_text()
    if missing := [signal for signal in ("TraceService", "MetricsService") if signal not in arrived]:
        raise ProcessFailed(f"nothing was exported to the collector's {' and '.join(missing)}; see penstock.log")


def penstock_of(tree: Path) -> Kind:
    """Returns Penstock in one process with the code of another checkout, to compare this one with."""
    roots = ":".join(str(tree / root) for root in ("generated", "servers", "clients"))

    async def start_other(start: Start, directory: Path) -> Served:
        variables = {"PYTHONPATH": f"{roots}:{ROOT}"}
        return await start("penstock", _penstockd(directory, *LAYERS), variables=variables)

    return Kind(f"Penstock of {tree.name}, one process", "penstock", start_other)


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
    "one-otel": Kind("Penstock, one process, telemetry on", "penstock", penstock_telling, check_told),
}
USUAL_SYSTEMS: Final = ("one", "split", "chain", "fastapi")


def _as_it_is(program: list[str], name: str, directory: Path) -> list[str]:
    return program


@asynccontextmanager
async def open_system(name: str, home: Path, kind: Kind | None = None, wrap: Wrap = _as_it_is) -> AsyncIterator[System]:
    """Starts a system with its load generator, and stops all of its processes, the last one first.

    `kind` is for one that isn't among SYSTEMS.
    """
    kind = kind or SYSTEMS[name]
    directory = home / name
    directory.mkdir()
    processes: list[Served] = []
    async with AsyncExitStack() as stack:

        async def start(
            label: str, program: list[str], *, counted: bool = True, variables: Mapping[str, str] = NOTHING
        ) -> Served:
            served = await serve(label, wrap(program, label, directory) if counted else program, directory, variables)
            stack.push_async_callback(stop, served.process)
            if counted:
                processes.append(served)
            return served

        door = await kind.start(start, directory)
        generator = await LoadGenerator.start(kind.caller, door.address, directory / "load.log")
        stack.push_async_callback(generator.stop)
        yield System(name, kind.title, tuple(processes), generator)
    kind.check(directory)
