"""What is shown of each workload: its title and columns, the more important ones first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.budget import Limit
from benchmarks.summary import Spread

TIMES: Final = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Column:
    """Represents a column: which metric, under which heading (two lines), shown how; `spread` adds the quartiles."""

    metric: str
    heading: str
    scale: float = 1.0
    digits: int = 2
    spread: bool = False

    def show(self, value: Spread | None, *, spread: bool = False) -> str:
        """Returns the cell's text."""
        if value is None:
            return "-"
        text, low, high = (self.number(figure) for figure in (value.median, value.low, value.high))
        return f"{text} ({low}…{high})" if self.spread and spread and value.low < value.high else text

    def bound(self, limit: Limit | None) -> str:
        """Returns the text of the cell's budget; nothing where there is none."""
        return "" if limit is None else f"{'≥' if limit.least else '≤'} {limit.value * self.scale:,g}"

    def number(self, value: float) -> str:
        """Returns a value in the column's unit."""
        return f"{value * self.scale:,.{self.digits}f}"


RATIOS: Final = (
    Column("cpu_per_one", f"{TIMES} one\nprocess"),
    Column("cpu_per_chain", f"{TIMES} bare\ngRPC", spread=True),
    Column("cpu_per_fastapi", f"{TIMES}\nFastAPI", spread=True),
)
CALLS: Final = (
    Column("cpu_us", "CPU ms\na run", 1e-3, spread=True),
    *RATIOS,
    Column("call_p50_ms", "p50\nms", digits=1),
    Column("call_p99_ms", "p99\nms", digits=1),
    Column("per_second", "runs a\nsecond", digits=0),
)
PACED: Final = (
    Column("cpu_us", "CPU µs\na token", digits=0, spread=True),
    *RATIOS,
    Column("token_p50_ms", "late\np50 ms", digits=1),
    Column("token_p99_ms", "late\np99 ms", digits=1),
    Column("first_token_p50_ms", "first\np50 ms", digits=1),
    Column("reached_per_second", "tokens/s\nreached", digits=0),
)
TABLES: Final[dict[str, tuple[str, Sequence[Column]]]] = {
    "unary": ("Runs of an instant agent, {at_once} at a time", CALLS),
    "alone": ("Runs of an instant agent, one at a time", CALLS),
    "first": (
        "Time to first token, one stream at a time",
        (
            Column("first_token_p50_ms", "first\np50 ms", digits=1, spread=True),
            Column("first_token_p99_ms", "first\np99 ms", digits=1),
            Column("cpu_us", "CPU ms\na stream", 1e-3),
        ),
    ),
    "paced": (
        "{streams} streams of {per_second:g} tokens a second, {total:,.0f} in all; late: seen after it was due",
        PACED,
    ),
    "paced-light": ("{streams} streams of {per_second:g} tokens a second, {total:,.0f} in all", PACED),
    "flood": (
        "One stream of an agent that never waits, {tokens:,} tokens",
        (
            Column("cpu_us", "CPU µs\na token", digits=1, spread=True),
            *RATIOS,
            Column("per_cpu_second", "tokens a\nCPU s", digits=0),
            Column("per_second", "tokens\na second", digits=0),
        ),
    ),
    "held": (
        "Memory of an idle stream, up to {streams} of them",
        (
            Column("stream_kb", "KiB a\nstream", digits=0, spread=True),
            Column("before_mb", "MiB\nbefore", digits=0),
            Column("open_mb", "MiB with\nall open", digits=0),
        ),
    ),
    "idle": ("Idle", (Column("cpu_us", "CPU ms\na second", 1e-3, digits=1, spread=True),)),
}
SHORT: Final = {
    "one": "Penstock, 1 process",
    "split": "Penstock, per layer",
    "chain": "bare grpc.aio",
    "fastapi": "FastAPI + httpx",
    "one-otel": "1 process, OTel on",
    "one-other": "1 process, other",
}
MARKDOWN: Final = (
    ("unary", Column("cpu_us", "CPU ms a run", 1e-3)),
    ("unary", Column("cpu_per_chain", f"{TIMES} bare gRPC")),
    ("alone", Column("call_p50_ms", "p50 ms alone", digits=1)),
    ("first", Column("first_token_p50_ms", "first token ms alone", digits=1)),
    ("paced", Column("cpu_us", "CPU µs a paced token", digits=0)),
    ("paced", Column("cpu_per_fastapi", f"{TIMES} FastAPI")),
    ("paced", Column("token_p99_ms", "token late p99 ms", digits=1)),
    ("flood", Column("per_cpu_second", "unpaced tokens a CPU second", digits=0)),
    ("held", Column("stream_kb", "KiB an idle stream", digits=0)),
)
