"""What the documentation tells its readers to type works as it is written."""

import ast
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.page import PAGES, Block, blocks, name_of
from tests.docs.serving import Reader, assert_said

TRIED = [page for page in PAGES if any(block.mark.startswith("run") for block in blocks(page))]
PROGRAMS = [block for page in PAGES for block in blocks(page) if block.language == "python"]


@pytest.mark.parametrize("page", TRIED, ids=name_of)
def test_following_a_page_from_top_to_bottom_works(page: Path, tmp_path: Path) -> None:
    """Every file, server and command that a page marks does what the page says, in the page's order."""
    with ExitStack() as stack:
        reader = Reader(tmp_path, stack)
        for block in blocks(page):
            reader.follow(block)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda block: block.place)
def test_every_program_is_python(program: Block) -> None:
    """A program that is shown, also one that is not run, has no slip of the pen in its syntax."""
    compile(program.text, program.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_readme_is_tried() -> None:
    """The marks are found: the first page has files, a server, commands, programs and their output."""
    marks = {block.mark.partition(":")[0] for block in blocks(PAGES[0])}
    assert marks >= {"file", "serve", "run", "prints"}


def test_output_that_differs_is_noticed() -> None:
    """A line that was not printed, or not in its place, fails the page."""
    block = Block("here:1", "prints", "text", "one … three\nfour\n")
    assert_said(block, "one two three\nfour\n")
    for wrong in ("one two three", "four\none two three\n", ""):
        with pytest.raises(AssertionError):
            assert_said(block, wrong)
