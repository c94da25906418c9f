"""The state layer's figures as pictures, each with the bound that it is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.summary import Spread
from benchmarks.svg import Bar, Chart, svg


@dataclass(frozen=True, slots=True)
class Shown:
    """Represents a bar: which metric of which workload, under which label, and its bound; `own` is Penstock's."""

    workload: str
    metric: str
    label: str
    bound: float | None = None
    own: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """Represents a picture of some bars in one unit."""

    name: str
    title: str
    unit: str
    bars: Sequence[Shown]
    digits: int = 1


PICTURES: Final = (
    Picture(
        "append",
        "CPU of an append",
        "µs an event",
        (
            Shown("flood", "cpu_us", "64 runs, a call each"),
            Shown("batched", "cpu_us", "64 runs in one call"),
            Shown("paced", "cpu_us", "60 runs, 50 a second", bound=70),
            Shown("bare", "cpu_us", "bare writer", own=False),
        ),
    ),
    Picture(
        "late",
        "From append to follower",
        "ms",
        (
            Shown("alone", "p50_ms", "a lone append, p50", bound=0.5),
            Shown("flood", "p50_ms", "64 runs, p50", bound=3),
            Shown("batched", "p50_ms", "64 in one call, p50", bound=3),
            Shown("paced", "p99_ms", "60 runs at 50/s, p99"),
        ),
        2,
    ),
    Picture("followers", "Memory of a follower", "KiB, of 1,000", (Shown("followers", "follower_kb", "follower", 30),)),
    Picture(
        "stopped",
        "One of 1,000 followers stops reading",
        "ms from append to the others, p99",
        (
            Shown("followers", "p99_ms", "all read"),
            Shown("followers", "p99_beside_stopped_ms", "one has stopped"),
        ),
    ),
    Picture(
        "flat",
        "What a long past costs",
        "times the cost on an empty store",
        (
            Shown("flat", "append_ratio", "append", bound=1.1),
            Shown("flat", "read_ratio", "read", bound=1.1),
        ),
        2,
    ),
    Picture(
        "wal",
        "Under full load",
        "MiB, and ms",
        (
            Shown("wal", "wal_mib", "longest -wal, MiB"),
            Shown("wal", "stall_max_ms", "longest stall, ms", bound=20),
            Shown("wal", "stall_p99_ms", "p99 of stalls, ms"),
        ),
    ),
    Picture(
        "talk",
        "A token through Redis",
        "µs of CPU a token, both state processes",
        (
            Shown("talk", "cpu_us", "64 runs, unpaced", bound=30),
            Shown("talk", "writing_us", "of it to write"),
            Shown("talk", "following_us", "of it to follow"),
            Shown("talk-200", "cpu_us", "200 runs, 50 a second", bound=100),
            Shown("talk-200", "writing_us", "of it to write"),
            Shown("talk-200", "following_us", "of it to follow"),
        ),
    ),
    Picture(
        "entries",
        "What a token takes in Redis",
        "entries of a log for 100 tokens",
        (
            Shown("talk", "entries_per_100", "64 runs, unpaced", bound=12.5),
            Shown("talk-200", "entries_per_100", "200 runs, 50 a second"),
        ),
    ),
)


def write_plots(found: Mapping[str, Sequence[Mapping[str, float]]], beside: Path) -> list[Path]:
    """Writes the pictures beside a result's file, under its name, and returns where they are."""
    written: list[Path] = []
    for picture in PICTURES:
        bars = [bar for bar in picture.bars if bar.workload in found]
        if bars:
            drawn = [
                Bar(bar.label, Spread.of([one[bar.metric] for one in found[bar.workload]]), bar.bound, bar.own)
                for bar in bars
            ]
            file = beside.with_name(f"{beside.stem}-{picture.name}.svg")
            foot = "python -m benchmarks.state"
            file.write_text(svg(Chart(picture.title, picture.unit, drawn, foot, picture.digits)))
            written.append(file)
    return written
