"""A result as the README shows it: one table, with a row for each budget."""

from benchmarks.budget import limit
from benchmarks.columns import MARKDOWN
from benchmarks.result import Result


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
        bounds = [column.bound(limit(system, workload, column.metric)) for workload, column in wanted]
        if any(bounds):
            lines.append(f"| *its budget* | {' | '.join(bounds)} |")
    lines += ["", result.circumstances()]
    return "\n".join(lines)
