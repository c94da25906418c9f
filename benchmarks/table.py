"""A result as people read it: a table for each workload in the terminal, or one in Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.result import Result
from benchmarks.summary import Spread

TIMES: Final = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Column:
    """Represents a column: which metric, under which heading, shown how."""

    metric: str
    heading: str
    scale: float = 1.0
    digits: int = 2
    spread: bool = False

    def show(self, value: Spread | None) -> str:
        """Returns the cell's text."""
        if value is None:
            return "-"
        text = self._number(value.median)
        return f"{text} ({self._number(value.low)}…{self._number(value.high)})" if self.spread else text

    def _number(self, value: float) -> str:
        return f"{value * self.scale:,.{self.digits}f}"


RATIOS: Final = (
    Column("cpu_per_chain", f"{TIMES} bare gRPC", spread=True),
    Column("cpu_per_fastapi", f"{TIMES} FastAPI", spread=True),
)
CALLS: Final = (
    Column("cpu_us", "CPU ms/run", 1e-3, spread=True),
    *RATIOS,
    Column("call_p50_ms", "p50 ms"),
    Column("call_p99_ms", "p99 ms"),
    Column("per_second", "runs/s", digits=0),
)
TABLES: Final[dict[str, tuple[str, Sequence[Column]]]] = {
    "unary": ("Runs of an instant agent, {at_once} at a time", CALLS),
    "alone": ("Runs of an instant agent, one at a time", CALLS),
    "paced": (
        "{streams} streams of {per_second} tokens a second",
        (
            Column("cpu_us", "CPU µs/token", digits=0, spread=True),
            *RATIOS,
            Column("first_token_p50_ms", "first p50 ms"),
            Column("first_token_p99_ms", "first p99 ms"),
            Column("token_p50_ms", "each p50 ms"),
            Column("token_p99_ms", "each p99 ms"),
        ),
    ),
    "flood": (
        "One stream of an agent that never waits, {tokens} tokens",
        (
            Column("cpu_us", "CPU µs/token", digits=1, spread=True),
            *RATIOS,
            Column("per_cpu_second", "tokens/CPU s", digits=0),
            Column("per_second", "tokens/s", digits=0),
        ),
    ),
    "idle": ("Idle", (Column("cpu_us", "CPU ms/s", 1e-3, digits=1, spread=True),)),
}
MARKDOWN: Final = (
    ("unary", Column("cpu_us", "CPU ms a run", 1e-3)),
    ("unary", Column("cpu_per_chain", f"{TIMES} bare gRPC")),
    ("alone", Column("call_p50_ms", "p50 ms alone", digits=1)),
    ("paced", Column("cpu_us", "CPU µs a paced token", digits=0)),
    ("paced", Column("cpu_per_fastapi", f"{TIMES} FastAPI")),
    ("paced", Column("first_token_p50_ms", "first token ms", digits=1)),
    ("flood", Column("per_cpu_second", "unpaced tokens a CPU second", digits=0)),
)


def terminal(result: Result) -> str:
    """Returns one table for each workload, with the processes and the machine below."""
    lines = [f"medians of {result.rounds} interleaved rounds (quartiles); CPU of all serving processes, all threads"]
    for workload, asked in result.workloads.items():
        title, columns = TABLES[workload]
        lines += ["", title.format(**asked)]
        rows = [["", *(column.heading for column in columns)]]
        for system, metrics in result.summary[workload].items():
            rows.append([result.titles[system], *(column.show(metrics.get(column.metric)) for column in columns)])
        lines += _aligned(rows)
    lines += ["", *_processes(result), _machine(result)]
    return "\n".join(lines)


def markdown(result: Result) -> str:
    """Returns the README's table."""
    wanted = [(workload, column) for workload, column in MARKDOWN if workload in result.summary]
    lines = [
        f"| | {' | '.join(column.heading for _, column in wanted)} |",
        f"|---|{'--:|' * len(wanted)}",
    ]
    for system, title in result.titles.items():
        cells = [column.show(result.summary[workload][system].get(column.metric)) for workload, column in wanted]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    lines += ["", _machine(result)]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    pads: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(widths) - 1)]
    return ["  ".join(pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)) for row in rows]


def _processes(result: Result) -> list[str]:
    named = {system: [f"{name} {pid}" for name, pid in own.items()] for system, own in result.processes.items()}
    return [f"summed for {result.titles[system]}: {', '.join(own)}" for system, own in named.items()]


def _machine(result: Result) -> str:
    facts, packages = result.machine, result.machine["packages"]
    busy = [m["metrics"]["other_cores"] for m in result.measurements]
    return (
        f"{result.time[:10]}, {facts['cores']} cores ({facts['processor']}), {facts['system']}, "
        f"Python {facts['python']}, grpcio {packages['grpcio']}, protobuf {packages['protobuf']}, "
        f"SQLite {facts['sqlite']}, FastAPI {packages['fastapi']}, httpx {packages['httpx']}, "
        f"commit {facts['commit']}; other programs kept {sum(busy) / len(busy):.2f} cores busy meanwhile."
    )
