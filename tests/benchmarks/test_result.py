"""A result as a file."""

from pathlib import Path

from benchmarks.result import Result
from benchmarks.table import terminal


def test_a_result_is_read_as_it_was_written(result: Result, tmp_path: Path) -> None:
    """What is shown of it later is what was shown at once."""
    result.write(tmp_path / "result.json")
    assert terminal(Result.read(tmp_path / "result.json"), 120) == terminal(result, 120)


def test_what_the_summary_says_of_ratios_was_taken_round_by_round(result: Result) -> None:
    """The median of ratios, of rounds in which both were measured."""
    found = result.summary["paced"]["one"]["cpu_per_fastapi"]
    assert [round(value, 6) for value in (found.low, found.median, found.high)] == [0.39, 0.4, 0.41]
    assert "cpu_per_chain" not in result.summary["held"]["one"]
