"""Measures what the state layer costs, beside a bare group-committing writer: `python -m benchmarks.state`."""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import machine
from benchmarks.process import ROOT
from benchmarks.state.followers import followers
from benchmarks.state.history import flat, wal
from benchmarks.state.house import open_house
from benchmarks.state.plots import write_plots
from benchmarks.state.talking import talk, talk_paced
from benchmarks.state.two_states import TwoStates, open_two_states
from benchmarks.state.valkey import open_valkey
from benchmarks.state.workloads import Bench, Metrics, alone, bare, batched, flood, idle_ticks, paced
from benchmarks.summary import Spread

Workload = Callable[[Bench], Awaitable[Metrics]]
Talk = Callable[[TwoStates, float], Awaitable[Metrics]]

LATEST: Final = ROOT / "benchmarks" / "results" / "state.json"
# In this order in each round, so that what is compared stands side by side.
ROUNDS: Final[Mapping[str, Workload]] = {
    "flood": flood,
    "bare": bare,
    "batched": batched,
    "alone": alone,
    "paced": paced,
    "paced-200": partial(paced, streams=200),
    "ticks": idle_ticks,
}
# Put on once, each on a store of its own.
ONCE: Final = ("followers", "flat", "wal")
WARM_UP: Final = 0.5
# Through two state processes over one Redis, standalone, in each round one after the other.
TALKS: Final[Mapping[str, Talk]] = {"talk": talk, "talk-200": talk_paced}
USUAL: Final = ("flood", "bare", "batched", "alone", "paced", "ticks", *ONCE)
USUAL_OF_REDIS: Final = ("batched", "alone", "followers", *TALKS)
EXAMPLES: Final = """examples:
  python -m benchmarks.state --quick
  python -m benchmarks.state --workloads wal --wal-seconds 600
  python -m benchmarks.state --state valkey --workloads talk talk-200
                      two state processes over a Valkey of its own: one writes, the other is followed; CPU is of both
  python -m benchmarks.state --state redis://localhost:6379/0
"""


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.state",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    loads = (*ROUNDS, *ONCE, *TALKS)
    parser.add_argument(
        "--state", metavar="URL", help="the store, or 'valkey' for a Valkey of its own (default: a new SQLite file)"
    )
    parser.add_argument(
        "--workloads", nargs="+", choices=loads, metavar="WORKLOAD", help=f"only these of {', '.join(loads)}"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each load lasts (default: %(default)s)")
    parser.add_argument("--wal-seconds", type=float, default=20.0, help="how long the full load for the -wal lasts")
    parser.add_argument("--past-runs", type=int, default=100_000, help="runs of the past (default: %(default)s)")
    parser.add_argument("--past-events", type=int, default=1_000_000, help="their events (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one short round, and a past of a fiftieth")
    parser.add_argument("--output", type=Path, default=LATEST, help="where the result goes (default: %(default)s)")
    given = parser.parse_args()
    usual = USUAL if given.state is None or given.state.startswith("sqlite") else USUAL_OF_REDIS
    given.workloads = given.workloads or usual
    if usual is USUAL and (over_redis := [name for name in given.workloads if name in TALKS]):
        parser.error(f"{' and '.join(over_redis)} need --state with a Redis, or 'valkey'")
    if given.quick:
        given.rounds, given.seconds, given.wal_seconds = 1, 1.0, 5.0
        given.past_runs, given.past_events = 2_000, 20_000
    return given


async def measure(given: argparse.Namespace) -> dict[str, list[Metrics]]:
    """Puts all that is asked for on the state layer."""
    gc.collect()
    gc.freeze()  # what was imported is not to be looked at again and again: that alone stops everything for 10 ms
    found: dict[str, list[Metrics]] = defaultdict(list)
    home = Path(tempfile.mkdtemp(prefix="penstock-state-"))
    asked = given.workloads
    once: dict[str, tuple[Workload, float]] = {
        "followers": (followers, 3 * given.seconds),
        "flat": (partial(flat, runs=given.past_runs, events=given.past_events), 5 * given.seconds),
        "wal": (wal, given.wal_seconds),
    }
    try:
        for name in asked:
            if name in once:
                workload, seconds = once[name]
                async with _opened(given.state, home, name) as url, open_house(url) as house:
                    found[name].append(await workload(Bench(house, url, home, seconds)))
        if any(name in ROUNDS for name in asked):
            async with _opened(given.state, home, "state") as url, open_house(url) as house:
                bench = Bench(house, url, home, given.seconds)
                for _ in range(given.rounds):
                    for name, workload in ROUNDS.items():
                        if name in asked:
                            found[name].append(await workload(bench))
                    for one, other in (("flood", "bare"), ("batched", "bare")):
                        if one in asked and other in asked:
                            found[one][-1]["of_bare"] = found[one][-1]["per_second"] / found[other][-1]["per_second"]
        if any(name in TALKS for name in asked):
            async with _opened(given.state, home, "talk") as url, open_two_states(url, home) as states:
                for said in TALKS.values():
                    await said(states, WARM_UP)
                for _ in range(given.rounds):
                    for name, said in TALKS.items():
                        if name in asked:
                            found[name].append(await said(states, given.seconds))
    finally:
        shutil.rmtree(home)
    return dict(found)


@asynccontextmanager
async def _opened(state: str | None, home: Path, name: str) -> AsyncGenerator[str]:
    """Yields the address of the store that was asked for, a new one unless it was given by an address."""
    if state == "valkey":
        async with open_valkey(home) as url:
            yield url
    else:
        yield state or f"sqlite:///{home}/{name}.db"


def run() -> int:
    """Runs the command, and returns its exit code."""
    given = parse()
    facts = machine.facts()
    found = uvloop.run(measure(given))
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(
        json.dumps({"store": given.state or "sqlite", "machine": facts, "found": found}, indent=1) + "\n"
    )
    for name, rounds in found.items():
        print(name)
        for metric in rounds[0]:
            spread = Spread.of([metrics[metric] for metrics in rounds if metric in metrics])
            print(f"  {metric:<24}{spread.median:>12,.2f}   ({spread.low:,.2f} … {spread.high:,.2f})")
    plots = write_plots(found, given.output)
    print(f"written to {given.output}, and drawn in {', '.join(plot.name for plot in plots) or 'no picture'}")
    return 0


if __name__ == "__main__":
    sys.exit(run())
