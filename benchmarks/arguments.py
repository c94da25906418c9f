"""The benchmark's command line."""

import argparse
from pathlib import Path
from typing import Final

from benchmarks.process import ROOT
from benchmarks.rounds import USUAL, WORKLOADS
from benchmarks.systems import SYSTEMS, USUAL_SYSTEMS

LATEST: Final = ROOT / "benchmarks" / "results" / "latest.json"
ROUNDS: Final = 7
SECONDS: Final = 270
HELD: Final = "held"
ABOUT: Final = """Measures what Penstock costs, beside a bare grpc.aio chain and three FastAPI services: `make bench`.

All systems run at the same time, each with a load generator in a process of its own, and take turns in short rounds.
What counts is the CPU time of all processes that serve; a busy machine moves it far less than it moves latencies.
Penstock runs with its default settings: every run and token is in an SQLite file before a client sees it. The other
two keep nothing.
"""
EXAMPLES: Final = """examples:
  python -m benchmarks --quick
  python -m benchmarks --systems one chain --workloads unary paced --rounds 3
  python -m benchmarks --telemetry --systems one chain      what exporting traces and metrics costs
  python -m benchmarks --beside ../before --systems one     this code and another checkout's, in the same rounds
  python -m benchmarks --profile one --workloads paced      which modules the CPU time of a workload goes to
  python -m benchmarks --show benchmarks/results/latest.json --markdown
"""


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    loads = (*WORKLOADS, HELD)
    parser.add_argument("--quick", action="store_true", help="one short round, about 45 s")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many rounds at most (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="begin no round that would end later (default: %(default)s)"
    )
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=SYSTEMS,
        metavar="SYSTEM",
        default=list(USUAL_SYSTEMS),
        help=f"only these of {', '.join(SYSTEMS)} (default: {', '.join(USUAL_SYSTEMS)})",
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=loads,
        metavar="WORKLOAD",
        help=f"only these of {', '.join(loads)} (default: {', '.join(usual())})",
    )
    parser.add_argument(
        "--telemetry", action="store_true", help="also Penstock with traces and metrics exported to a local collector"
    )
    parser.add_argument("--beside", type=Path, metavar="TREE", help="also Penstock with the code of another checkout")
    parser.add_argument(
        "--profile",
        choices=SYSTEMS,
        metavar="SYSTEM",
        help="put one workload on one system, and print which modules its CPU time goes to: by py-spy where it is on "
        "PATH, else by cProfile, which tells C functions apart but makes "
        "Python's look dearer than they are, and counts the start too",
    )
    parser.add_argument("--output", type=Path, default=LATEST, help="where the result goes (default: %(default)s)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="show an earlier result, and measure nothing")
    parser.add_argument("--markdown", action="store_true", help="print the README's table instead of the terminal's")
    given = parser.parse_args()
    if given.telemetry and "one-otel" not in given.systems:
        given.systems.append("one-otel")
    return given


def usual() -> tuple[str, ...]:
    """Returns the workloads that are put on unless others are asked for."""
    return (*USUAL, HELD)
