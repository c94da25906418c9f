"""A result as text: in a terminal and in the README."""

import dataclasses

import pytest

from benchmarks.markdown import markdown
from benchmarks.result import Result
from benchmarks.summary import Spread
from benchmarks.table import terminal


@pytest.mark.parametrize("width", [80, 100, 120])
def test_tables_fit_the_terminal(result: Result, width: int) -> None:
    """No line is wider than the terminal, and every workload is there."""
    lines = terminal(result, width).splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.startswith("60 streams of 50 tokens a second, 3,000 in all;") for line in lines)
    assert "Memory of an idle stream, up to 500 of them" in lines


def test_quartiles_are_shown_where_there_is_room_and_medians_everywhere(result: Result) -> None:
    """A run took 1.0, 1.2 and 1.4 ms, which is 0.6 of the chain's, give or take."""
    assert "1.20 (1.10…1.30)  0.60 (0.55…0.65)" in terminal(result, 120)
    narrow = terminal(result, 80)
    assert "1.20 (1.10…1.30)" not in narrow
    row = next(line for line in narrow.splitlines() if line.startswith("Penstock, 1 process"))
    assert row.split()[3:] == ["1.20", "0.60", "0.13", "103.7", "132.2", "1,301"]


def test_each_budget_stands_below_the_figures_of_its_system(result: Result) -> None:
    """One process may take 0.75 of the chain's CPU for a run, a process per layer twice it, the others what they do."""
    lines = terminal(result, 120).splitlines()
    table = lines[lines.index("Runs of an instant agent, 32 at a time") :][:9]
    assert [line.split()[0] for line in table[3:]] == ["Penstock,", "budget", "Penstock,", "budget", "bare", "FastAPI"]
    assert table[4].split() == ["budget", "≤", "0.75"]
    assert table[6].split() == ["budget", "≤", "2"]
    assert "≥ 40,000" in "\n".join(lines)


def test_the_readme_table_has_the_memory_of_a_stream_and_the_budgets(result: Result) -> None:
    """Every row has as many cells as the head."""
    rows = [line.split("|") for line in markdown(result).splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {12}
    assert rows[0][-2].strip() == "KiB an idle stream"
    cells = {row[1].strip(): [cell.strip() for cell in row[2:-1]] for row in rows}
    assert cells["Penstock, one process"] == ["1.20", "0.60", "103.7", "5.5", "200", "0.40", "16.4", "44,444", "92"]
    assert rows[3][1].strip() == "*its budget*"
    assert [cell.strip() for cell in rows[3][2:-1]] == [
        "",
        "≤ 0.75",
        "",
        "≤ 3",
        "",
        "≤ 0.45",
        "≤ 10",
        "≥ 40,000",
        "≤ 50",
    ]


def test_what_was_not_measured_has_no_column(result: Result) -> None:
    """Without FastAPI there is no ratio to it, and a ratio to one process is for variants of that only."""
    summary = {
        workload: {
            system: {name: value for name, value in metrics.items() if name != "cpu_per_fastapi"}
            for system, metrics in systems.items()
            if system != "fastapi"
        }
        for workload, systems in result.summary.items()
    }
    less = dataclasses.replace(result, summary=summary)
    heads = [line.split() for line in terminal(less, 120).splitlines() if line.split()[:1] == ["a"]]
    assert ["a", "run", "gRPC", "ms", "ms", "second"] in heads
    assert ["a", "token", "gRPC", "p50", "ms", "p99", "ms", "p50", "ms", "reached"] in heads


def test_what_telemetry_costs_is_told_beside_one_process_without_it(result: Result) -> None:
    """Its column comes where a variant of one process was measured too, and fits 80 columns all the same."""
    for systems in result.summary.values():
        systems["one-otel"] = {**systems["one"], "cpu_per_one": Spread(1.25, 1.2, 1.3)}
    shown = terminal(dataclasses.replace(result, titles={**result.titles, "one-otel": "telemetry on"}), 80)
    assert max(map(len, shown.splitlines())) <= 80
    row = next(line for line in shown.splitlines() if line.startswith("1 process, OTel on"))
    assert row.split()[4:6] == ["1.20", "1.25"]
