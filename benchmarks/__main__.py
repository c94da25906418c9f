"""Measures what Penstock costs, beside a bare grpc.aio chain and three FastAPI services: `make bench`."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import machine
from benchmarks.arguments import HELD, parse, usual
from benchmarks.blame import blame
from benchmarks.idle_streams import Waves, measure_memory
from benchmarks.load.workloads import Workload
from benchmarks.markdown import markdown
from benchmarks.plots import write_plots
from benchmarks.process import ProcessFailed
from benchmarks.result import Load, Result
from benchmarks.rounds import WORKLOADS, Measurement, run_rounds, shortened, warm_up
from benchmarks.systems import SYSTEMS, Kind, open_system, penstock_of
from benchmarks.table import terminal

QUICK_SHARE: Final = 0.5
SPARE_SECONDS: Final = 180.0
IDLE_STREAMS: Final = Waves(streams=500, waves=5)
QUICK_STREAMS: Final = Waves(streams=150, waves=3)
USUAL_WIDTH: Final = 120


def say(line: str) -> None:
    """Tells how far the measurement is, apart from its result."""
    print(line, file=sys.stderr, flush=True)


async def measured(arguments: argparse.Namespace) -> Result:
    """Starts the systems, measures them, and stops them."""
    begin, facts = time.monotonic(), machine.facts()
    kinds: dict[str, Kind] = {name: SYSTEMS[name] for name in arguments.systems}
    if arguments.beside is not None:
        kinds["one-other"] = penstock_of(arguments.beside.resolve())
    asked = arguments.workloads or usual()
    share = QUICK_SHARE if arguments.quick else 1.0
    workloads: dict[str, Workload] = {name: shortened(WORKLOADS[name], share) for name in asked if name in WORKLOADS}
    idle = {HELD: QUICK_STREAMS if arguments.quick else IDLE_STREAMS} if HELD in asked else {}
    async with asyncio.timeout(arguments.seconds + SPARE_SECONDS), AsyncExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="penstock-bench-"))
        stack.push(partial(_clear, home))
        say(f"starting {', '.join(kind.title for kind in kinds.values())} …")
        systems = [await stack.enter_async_context(open_system(name, home, kind)) for name, kind in kinds.items()]
        for system in systems:
            own = " + ".join(f"{served.name} (pid {served.pid})" for served in system.processes)
            say(f"{system.title}: CPU of {own}; load from pid {system.generator.pid}")
        await warm_up(systems)
        found: list[Measurement] = []
        for name, waves in idle.items():
            # First, while the processes are young: memory that other work has freed would hide what streams take.
            found += await measure_memory(systems, waves, name, say)
        if workloads:
            rounds = 1 if arguments.quick else arguments.rounds
            found += await run_rounds(systems, workloads, rounds, begin + arguments.seconds, say)
        loads: dict[str, Load] = {**workloads, **idle}
        return Result.of(systems, loads, facts, found)


def _clear(home: Path, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
    """Removes what the systems wrote, unless one of them failed and its log may say why."""
    if isinstance(error, ProcessFailed | TimeoutError):
        say(f"logs are kept in {home}")
    else:
        shutil.rmtree(home)


async def main(arguments: argparse.Namespace, width: int) -> str:
    """Does what is asked, and returns what it found as text; SIGTERM stops it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    if arguments.profile is not None:
        return await blame(arguments.profile, (arguments.workloads or usual())[0], width)
    result = await measured(arguments)
    result.write(arguments.output)
    plots = write_plots(result, arguments.output)
    say(f"written to {arguments.output}, and drawn in {', '.join(plot.name for plot in plots) or 'no picture'}\n")
    return markdown(result) if arguments.markdown else terminal(result, width)


def run() -> int:
    """Runs the command, and returns its exit code."""
    arguments = parse()
    width = shutil.get_terminal_size((USUAL_WIDTH, 24)).columns
    if arguments.show is not None:
        shown = Result.read(arguments.show)
        print(markdown(shown) if arguments.markdown else terminal(shown, width))
        return 0
    if "fastapi" in (arguments.profile or "", *arguments.systems) and find_spec("fastapi") is None:
        say("FastAPI is not installed: use `make bench`, or `uv sync --group bench`, or leave it out with --systems")
        return 2
    try:
        print(asyncio.run(main(arguments, width)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("stopped")
        return 130
    except (ProcessFailed, TimeoutError) as error:
        say(f"failed: {error or 'it took too long'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
