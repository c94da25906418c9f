"""Text that is broken into lines fits the screen, and nothing of it is lost."""

import time

from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.flow import flowed, last_lines
from penstock.cli.table import columns_of

TEXTS = st.text("ab \n\u65e5\u0301\t", max_size=80)


@given(TEXTS, st.integers(2, 20))
def test_every_line_fits_and_every_word_stays(text: str, width: int) -> None:
    """Blanks at the breaks are all that goes."""
    lines = flowed(text, width)
    assert all(columns_of(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert len(lines) >= text.count("\n") + 1


@given(TEXTS, st.integers(2, 20))
def test_a_line_that_fits_is_left_as_it_is(text: str, width: int) -> None:
    """With its indent and its line breaks."""
    kept = text.replace("\t", "    ")
    if all(columns_of(line) <= width for line in kept.split("\n")):
        assert flowed(kept, width) == kept.split("\n")


def test_an_answer_that_is_one_long_paragraph_is_broken_in_no_time() -> None:
    """Each line costs its own length, not that of all that follows."""
    began = time.process_time()
    lines = flowed("no end of words " * 12_000 + "日本" * 2_000, 80)
    assert len(lines) > 2_400
    assert time.process_time() - began < 5


def test_lines_break_at_word_ends() -> None:
    """Only a word that is longer than a line is broken itself."""
    assert flowed("one two three", 7) == ["one two", "three"]
    assert flowed("  one two", 7) == ["  one", "two"]
    assert flowed("one\r\nlongerthan", 7) == ["one", "longert", "han"]


@given(TEXTS, st.integers(2, 20), st.integers(0, 5))
def test_the_last_lines_are_never_more_than_asked_for(text: str, width: int, most: int) -> None:
    """And of a text that is short enough they are the flowed text's own."""
    lines = last_lines(text, width, most)
    assert len(lines) <= most
    if most and len(text) <= width * most:
        assert lines == flowed(text, width)[-most:]
