"""Measures what Penstock costs, beside a bare grpc.aio chain and three FastAPI services: `make bench`.

All systems run at the same time, each with a load generator in a process of its own, and take turns in short rounds.
What counts is the CPU time of all processes that serve; a busy machine moves it far less than it moves latencies.
Penstock runs with its default settings: every run and token is in an SQLite file before a client sees it. The other
two keep nothing.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import machine, table
from benchmarks.load.workloads import Workload
from benchmarks.process import ROOT, ProcessFailed
from benchmarks.result import Result
from benchmarks.rounds import USUAL, WORKLOADS, run_rounds, shortened, warm_up
from benchmarks.systems import SYSTEMS, open_system

LATEST: Final = ROOT / "benchmarks" / "results" / "latest.json"
ROUNDS: Final = 7
QUICK_SHARE: Final = 0.5
ROUND_SECONDS: Final = 60.0
START_SECONDS: Final = 90.0


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, about 30 s")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many rounds (default: %(default)s)")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="only these")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(USUAL), help="only these")
    parser.add_argument("--output", type=Path, default=LATEST, help="where the result goes (default: %(default)s)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="show an earlier result, and measure nothing")
    parser.add_argument("--markdown", action="store_true", help="print the README's table instead of the terminal's")
    return parser.parse_args()


def say(line: str) -> None:
    """Tells how far the measurement is, apart from its result."""
    print(line, file=sys.stderr, flush=True)


async def measured(names: Sequence[str], workloads: Mapping[str, Workload], rounds: int) -> Result:
    """Starts the systems, measures them, and stops them."""
    facts = machine.facts()
    async with asyncio.timeout(START_SECONDS + rounds * ROUND_SECONDS), AsyncExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="penstock-bench-"))
        stack.push(partial(_clear, home))
        say(f"starting {', '.join(SYSTEMS[name].title for name in names)} …")
        systems = [await stack.enter_async_context(open_system(name, home)) for name in names]
        for system in systems:
            own = " + ".join(f"{served.name} (pid {served.pid})" for served in system.processes)
            say(f"{system.title}: CPU of {own}; load from pid {system.generator.pid}")
        await warm_up(systems)
        measurements = await run_rounds(systems, workloads, rounds, say)
        return Result.of(systems, workloads, rounds, facts, measurements)


def _clear(home: Path, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
    """Removes what the systems wrote, unless one of them failed and its log may say why."""
    if isinstance(error, ProcessFailed | TimeoutError):
        say(f"logs are kept in {home}")
    else:
        shutil.rmtree(home)


async def main(arguments: argparse.Namespace) -> Result:
    """Measures; SIGTERM stops it as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    rounds, share = (1, QUICK_SHARE) if arguments.quick else (arguments.rounds, 1.0)
    workloads = {name: shortened(WORKLOADS[name], share) for name in arguments.workloads}
    result = await measured(arguments.systems, workloads, rounds)
    result.write(arguments.output)
    say(f"written to {arguments.output}\n")
    return result


def run() -> int:
    """Runs the command, and returns its exit code."""
    arguments = parse()
    if arguments.show is None and "fastapi" in arguments.systems and find_spec("fastapi") is None:
        say("FastAPI is not installed: use `make bench`, or `uv sync --group bench`, or leave it out with --systems")
        return 2
    try:
        result = asyncio.run(main(arguments)) if arguments.show is None else Result.read(arguments.show)
    except (KeyboardInterrupt, asyncio.CancelledError):
        say("stopped")
        return 130
    except (ProcessFailed, TimeoutError) as error:
        say(f"failed: {error or 'it took too long'}")
        return 1
    print(table.markdown(result) if arguments.markdown else table.terminal(result))
    return 0


if __name__ == "__main__":
    sys.exit(run())
