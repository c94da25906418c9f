"""A result as pictures: what a run, a token, the first token and an idle stream cost on each system."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.budget import BUDGET
from benchmarks.result import Result
from benchmarks.summary import Spread
from benchmarks.svg import Bar, Chart, svg

BASELINES: Final = {"cpu_per_chain": "chain", "cpu_per_fastapi": "fastapi"}


@dataclass(frozen=True, slots=True)
class Plot:
    """Represents a picture of one metric; it is written to a file with `name` in its name."""

    name: str
    workload: str
    metric: str
    title: str
    unit: str
    scale: float = 1.0
    digits: int = 0


PLOTS: Final = (
    Plot("run", "unary", "cpu_us", "CPU of a run", "ms, {at_once} runs of an instant agent at a time", 1e-3, 2),
    Plot("token", "paced", "cpu_us", "CPU of a token", "µs, {streams} streams of {per_second:g} tokens a second"),
    Plot("first", "first", "first_token_p50_ms", "Time to first token", "ms, one stream at a time", digits=1),
    Plot("stream", "held", "stream_kb", "Memory of an idle stream", "KiB, up to {streams} streams open"),
)


def write_plots(result: Result, beside: Path) -> list[Path]:
    """Writes the pictures beside a result's file, under its name, and returns where they are."""
    written: list[Path] = []
    for plot in PLOTS:
        if plot.workload in result.summary:
            file = beside.with_name(f"{beside.stem}-{plot.name}.svg")
            file.write_text(svg(_chart(plot, result)))
            written.append(file)
    return written


def _chart(plot: Plot, result: Result) -> Chart:
    bars = [
        Bar(
            result.titles[system],
            _scaled(metrics[plot.metric], plot.scale),
            _budget(plot, result, system),
            own=system not in BASELINES.values(),
        )
        for system, metrics in result.summary[plot.workload].items()
    ]
    unit = plot.unit.format(**result.workloads[plot.workload])
    return Chart(plot.title, unit, bars, _foot(plot, result), plot.digits)


def _budget(plot: Plot, result: Result, system: str) -> float | None:
    """Returns the metric's bound, which for CPU is a baseline's CPU times a ratio."""
    for limit in BUDGET:
        if (limit.system, limit.workload) != (system, plot.workload):
            continue
        if limit.metric == plot.metric:
            return limit.value * plot.scale
        baseline = result.summary[plot.workload].get(BASELINES.get(limit.metric, ""))
        if plot.metric == "cpu_us" and baseline is not None:
            return limit.value * baseline["cpu_us"].median * plot.scale
    return None


def _foot(plot: Plot, result: Result) -> str:
    rounds: Sequence[int] = sorted({m["round"] for m in result.measurements if m["workload"] == plot.workload})
    times = f"{len(rounds)} {'waves' if plot.workload == 'held' else 'interleaved rounds'}"
    return f"{times} on {result.machine['cores']} cores, {result.time[:10]}, commit {result.machine['commit']}"


def _scaled(value: Spread, scale: float) -> Spread:
    return Spread(value.median * scale, value.low * scale, value.high * scale)
