"""What a configuration names is found, or it is said why not, and where."""

from pathlib import Path

import pytest

from penstock.loading.named_object import resolve

RAISES = """
def check():
    raise ValueError("my own mistake")

check()
"""
ENDS = "import sys\nsys.exit('I am a script')\n"


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to import from."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_what_stands_below_other_names_is_found(importable: Path) -> None:
    """Dots before the colon are packages, those behind it attributes."""
    (importable / "box_of_mine").mkdir()
    (importable / "box_of_mine" / "inner.py").write_text("class Holder:\n    value = 7\n")
    assert resolve("box_of_mine.inner:Holder.value", "echo:echo") == 7


@pytest.mark.parametrize("spec", ["echo", "echo:", ":echo", "two words:echo", "echo:1st", "echo:a b", "a..b:c"])
def test_what_is_no_name_is_told_with_an_example(spec: str) -> None:
    """Nothing is imported for it."""
    with pytest.raises(ValueError, match=r'name it as "module:attr".*for example "echo:echo"'):
        resolve(spec, "echo:echo")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("raises_on_its_own", RAISES, r"importing it raised ValueError: my own mistake \(raises_on_its_own.py:3\)"),
        ("ends_at_once", ENDS, r"importing it raised SystemExit: I am a script \(ends_at_once.py:2\)"),
        ("not_python", "def f(:\n", r"importing it raised SyntaxError: .* \(not_python.py, line 1\)$"),
        (
            "needs_another",
            "import is_not_there\n",
            r"needs_another was found, but .*'is_not_there' \(needs_another.py:1\)",
        ),
    ],
)
def test_a_module_that_fails_says_so_in_its_own_words_with_the_place(
    importable: Path, name: str, code: str, said: str
) -> None:
    """Whatever it raises, also what a malformed name would raise: its author learns the line."""
    (importable / f"{name}.py").write_text(code)
    with pytest.raises(ValueError, match=said):
        resolve(f"{name}:anything", "echo:echo")
