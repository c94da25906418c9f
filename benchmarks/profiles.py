"""Profiles as py-spy and cProfile write them, read as costs of places in the code."""

import pstats
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

FRAME: Final = re.compile(r"(?P<function>.+) \((?P<file>.+?)(?::\d+)?\)$")
METHOD: Final = re.compile(r"method '\w+' of '(?P<owner>[\w.]+)' objects")
FUNCTION: Final = re.compile(r"built-in method (?P<owner>[\w.]+)\.\w+")


@dataclass(frozen=True, slots=True)
class Place:
    """Represents a function: its module, for Penstock down to the layer, and its name with its file's."""

    module: str
    function: str


def read_stacks(text: str) -> Counter[Place]:
    """Reads py-spy's raw format, `outer;…;inner samples` a line; what C code takes is its Python caller's."""
    places: Counter[Place] = Counter()
    for line in text.splitlines():
        stack, _, samples = line.rpartition(" ")
        if frame := FRAME.match(stack.rpartition(";")[2]):
            places[_place(frame["file"], frame["function"])] += int(samples)
    return places


def read_cprofile(file: Path) -> Counter[Place]:
    """Reads what cProfile wrote; in microseconds, callees apart."""
    places: Counter[Place] = Counter()
    for (path, _, function), (_, _, own, _, _) in pstats.Stats(str(file)).stats.items():  # type: ignore[attr-defined]  # typeshed lacks it
        places[_built_in(function) if path == "~" else _place(path, function)] += round(own * 1e6)
    return places


def _place(path: str, function: str) -> Place:
    function = function.replace("<locals>.", "")
    if path.startswith("<"):  # <frozen importlib._bootstrap>, <string>
        return Place(path.strip("<>").removeprefix("frozen ").partition(".")[0], function)
    parts = Path(path).with_suffix("").parts
    for root in ("site-packages", "dist-packages"):
        if root in parts:
            inside = parts[parts.index(root) + 1 :]
            return Place(".".join(inside[:2]) if inside[0] == "google" else inside[0], f"{parts[-1]}.{function}")
    for root in ("generated", "servers", "clients"):
        if (root, "penstock") in pairwise(parts):
            at = parts.index("penstock", parts.index(root))
            return Place(".".join(parts[at : at + 2]), f"{parts[-1]}.{function}")
    if "benchmarks" in parts:
        return Place("benchmarks", f"{parts[-1]}.{function}")
    return Place(_of_library(parts), f"{parts[-1]}.{function}")


def _of_library(parts: tuple[str, ...]) -> str:
    names = [place for place, part in enumerate(parts) if re.fullmatch(r"python3\.\d+", part)]
    return parts[names[-1] + 1] if names and names[-1] + 1 < len(parts) else parts[-1]


def _built_in(name: str) -> Place:
    found = METHOD.search(name) or FUNCTION.search(name)
    owner = found["owner"] if found else ""
    # Methods of str, dict and the like name no module: those of all built-in types count together.
    module = owner.partition(".")[0] if "." in owner or FUNCTION.search(name) else "builtins"
    return Place(module, name.strip("<>{}").removeprefix("built-in "))
