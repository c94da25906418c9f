"""The budget: what Penstock may cost, by workload and metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """Represents a metric's bound for one system; `least` says that less is too little, not more too much.

    The ratios `cpu_per_chain` and `cpu_per_fastapi` bound CPU time by that of a baseline in the same round, because
    what a message costs depends on the machine.
    """

    system: str
    workload: str
    metric: str
    value: float
    least: bool = False


BUDGET: Final = (
    Limit("one", "unary", "cpu_per_chain", 0.75),
    Limit("one", "paced", "cpu_per_fastapi", 0.45),
    Limit("one", "paced", "token_p50_ms", 3),
    Limit("one", "paced", "token_p99_ms", 10),
    Limit("one", "first", "first_token_p50_ms", 3),
    Limit("one", "flood", "per_cpu_second", 40_000, least=True),
    Limit("one", "held", "stream_kb", 50),
    Limit("split", "unary", "cpu_per_chain", 2.0),
    Limit("split", "paced", "cpu_per_fastapi", 0.8),
)


def limit(system: str, workload: str, metric: str) -> Limit | None:
    """Returns a metric's bound, where it has one."""
    wanted = (system, workload, metric)
    return next((known for known in BUDGET if (known.system, known.workload, known.metric) == wanted), None)
