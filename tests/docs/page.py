"""Pages of documentation, as what in them can be tried."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE: Final = re.compile(
    r"(?:^<!-- (?P<mark>file: [\w.]+|serve(?: anew| at [\w.:]+)?|run(?: with \w+)?|prints) -->\n)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """Represents a fenced block; `mark` is what the comment before it says, empty where there is none."""

    place: str
    mark: str
    language: str
    text: str


def name_of(page: Path) -> str:
    """Returns a page's path from the root of the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """Returns the fenced blocks of a page in order."""
    text = page.read_text()
    return [
        Block(
            f"{name_of(page)}:{text.count(chr(10), 0, fence.start()) + 1}",
            fence["mark"] or "",
            fence["language"],
            fence["text"],
        )
        for fence in _FENCE.finditer(text)
    ]
