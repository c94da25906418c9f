"""A result as pictures."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.plots import write_plots
from benchmarks.result import Result

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn(result: Result, tmp_path: Path) -> dict[str, ElementTree.Element]:
    """Returns the pictures of the made-up result, parsed, by the end of their files' names."""
    return {file.stem: ElementTree.parse(file).getroot() for file in write_plots(result, tmp_path / "made-up.json")}


def test_there_is_a_picture_of_each_cost_beside_the_result(drawn: dict[str, ElementTree.Element]) -> None:
    """CPU of a run, CPU of a token, time to first token, and memory of an idle stream, each of all four systems."""
    assert sorted(drawn) == ["made-up-first", "made-up-run", "made-up-stream", "made-up-token"]
    for picture in drawn.values():
        assert len(bars(picture)) == 4


def test_bars_are_as_long_as_their_values_and_budgets_stand_where_the_baseline_puts_them(
    drawn: dict[str, ElementTree.Element],
) -> None:
    """A run's budget is 0.75 of the bare chain's 2 ms, drawn on the same scale as the bars."""
    picture = drawn["made-up-run"]
    widths = [float(bar.attrib["width"]) for bar in bars(picture)]
    assert [round(width / widths[3], 3) for width in widths] == pytest.approx([1.2 / 9, 4.1 / 9, 2 / 9, 1], abs=2e-3)
    left = float(bars(picture)[0].attrib["x"])
    at = [float(line.attrib["x1"]) - left for line in lines(picture, "budget") if float(line.attrib["x1"]) > left]
    assert [x / widths[3] for x in at] == pytest.approx([1.5 / 9, 4.0 / 9], abs=2e-3)
    assert "budget 1.50" in texts(picture)


def test_values_are_printed_with_their_quartiles_and_unit(drawn: dict[str, ElementTree.Element]) -> None:
    """A picture can be read without its axis."""
    picture = drawn["made-up-token"]
    assert {"200", "(195…205)", "500", "CPU of a token", "budget 225"} <= set(texts(picture))
    assert "µs, 60 streams of 50 tokens a second; less is better" in texts(picture)
    assert "one process 200" in picture.attrib["aria-label"]
    assert {"92", "(92…93)"} <= set(texts(drawn["made-up-stream"]))


def test_pictures_have_no_background_and_a_style_for_dark_pages(drawn: dict[str, ElementTree.Element]) -> None:
    """What the page shows through them is the page's, light or dark."""
    for picture in drawn.values():
        style = picture.findtext(f"{SVG}style") or ""
        assert "prefers-color-scheme: dark" in style
        assert {bar.attrib["class"] for bar in picture.iter(f"{SVG}rect")} <= {"own", "other"}


def bars(picture: ElementTree.Element) -> list[ElementTree.Element]:
    """Returns the bars, from the top."""
    return list(picture.iter(f"{SVG}rect"))


def lines(picture: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    """Returns the lines of a kind, from the top."""
    return [line for line in picture.iter(f"{SVG}line") if line.attrib["class"] == kind]


def texts(picture: ElementTree.Element) -> list[str]:
    """Returns all that is written."""
    return [text.text or "" for text in picture.iter(f"{SVG}text")]
