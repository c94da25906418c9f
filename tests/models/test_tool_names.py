"""Names that a model may say for tools that have others."""

import re

from penstock.executor.model.tool_names import model_names

ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,64}")


def test_a_name_that_fits_stays() -> None:
    """What the model's servers allow is not touched."""
    assert model_names(["add", "read-file", "x" * 64]) == {name: name for name in ("add", "read-file", "x" * 64)}


def test_every_name_can_be_said_and_finds_its_way_back() -> None:
    """Dots, colons and length are dealt with, and no two tools share a name."""
    names = ["a.b", "a:b", "a_b", "files.read:v1", "x" * 128, "x" * 127 + "y", "." * 128, ":" * 128]
    spoken = model_names(names)
    assert sorted(spoken.values()) == sorted(names)
    assert all(ALLOWED.fullmatch(name) for name in spoken)
    assert spoken["a_b"] == "a_b"
    assert spoken["files_read_v1"] == "files.read:v1"


def test_a_tools_name_does_not_depend_on_the_order_of_tools() -> None:
    """The next attempt, and the next replica, offer the same names."""
    names = ["a.b", "a:b", "b.c"]
    assert model_names(names) == model_names(reversed(names))
