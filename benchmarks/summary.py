"""What the rounds say together: medians, quartiles, and ratios of what was measured in the same round."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.rounds import Measurement

BASELINES: Final = ("chain", "fastapi", "one")


@dataclass(frozen=True, slots=True)
class Spread:
    """Represents a metric over all rounds: its median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarises the values of the rounds; a single one is its own spread."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


Summary = dict[str, dict[str, dict[str, Spread]]]
"""Workload → system → metric → its spread; `cpu_per_chain`, `…_fastapi`, `…_one` are ratios of CPU a unit."""


def summarise(measurements: Sequence[Measurement]) -> Summary:
    """Summarises all rounds.

    A ratio is taken within each round and then summarised, so that what slows the machine for a while falls on both
    of its sides.
    """
    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    cpu = {(m.workload, m.round, m.system): m.metrics["cpu_us"] for m in measurements if "cpu_us" in m.metrics}
    for found in measurements:
        for metric, value in found.metrics.items():
            values[found.workload, found.system, metric].append(value)
        own = cpu.get((found.workload, found.round, found.system))
        for baseline in BASELINES:
            divisor = cpu.get((found.workload, found.round, baseline))
            if own is not None and divisor:
                values[found.workload, found.system, f"cpu_per_{baseline}"].append(own / divisor)
    summary: Summary = {}
    for (workload, system, metric), seen in values.items():
        summary.setdefault(workload, {}).setdefault(system, {})[metric] = Spread.of(seen)
    return summary
