"""A result as people read it in a terminal: a table for each workload, as wide as the terminal lets it be."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.budget import limit
from benchmarks.columns import SHORT, TABLES, Column
from benchmarks.result import Result

GAP: Final = "  "
BUDGET_ROW: Final = "  budget"


def terminal(result: Result, width: int) -> str:
    """Returns one table for each workload, with the processes and the machine below."""
    medians = f"Medians of {result.rounds} interleaved rounds" if result.rounds else "Medians"
    about = (
        f"{medians}, with quartiles where there is room. CPU and memory are those of all serving processes together."
    )
    lines = _wrapped([about], width)
    for workload, asked in result.workloads.items():
        title, columns = TABLES[workload]
        total = asked.get("streams", 0) * asked.get("per_second", 0)
        title = title.format(**asked, total=total)
        lines += ["", *_wrapped([title], width), *_table(result, workload, columns, width)]
    return "\n".join([*lines, "", *_wrapped([*_processes(result), result.circumstances()], width)])


def _table(result: Result, workload: str, columns: Sequence[Column], width: int) -> list[str]:
    systems = result.summary[workload]
    columns = [column for column in columns if _says_something(result, workload, column)]
    for spread in (True, False):
        lines = _aligned(_rows(result, workload, columns, spread=spread))
        if max(map(len, lines)) <= width:
            return lines
    # The less important columns are the last ones; the file has them all.
    return _table(result, workload, columns[:-1], width) if len(columns) > 1 and systems else lines


def _says_something(result: Result, workload: str, column: Column) -> bool:
    shown = [system for system, metrics in result.summary[workload].items() if column.metric in metrics]
    if column.metric == "cpu_per_one":  # what it cost in one process as it is by default; for variants of that
        return any(system.startswith("one-") for system in shown)
    return bool(shown)


def _rows(result: Result, workload: str, columns: Sequence[Column], *, spread: bool) -> list[list[str]]:
    heads = [column.heading.split("\n") for column in columns]
    rows = [["", *(head[line] for head in heads)] for line in (0, 1)]
    for system, metrics in result.summary[workload].items():
        cells = [column.show(metrics.get(column.metric), spread=spread) for column in columns]
        rows.append([SHORT.get(system, result.titles[system]), *cells])
        bounds = [column.bound(limit(system, workload, column.metric)) for column in columns]
        if any(bounds):
            rows.append([BUDGET_ROW, *bounds])
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    pads: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(widths) - 1)]
    lines = (GAP.join(pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]


def _wrapped(lines: Sequence[str], width: int) -> list[str]:
    return [
        part for line in lines for part in textwrap.wrap(line, width, subsequent_indent=GAP, break_on_hyphens=False)
    ]


def _processes(result: Result) -> list[str]:
    named = {system: [f"{name} {pid}" for name, pid in own.items()] for system, own in result.processes.items()}
    return [f"summed for {result.titles[system]}: {', '.join(own)}" for system, own in named.items()]
