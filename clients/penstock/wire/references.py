"""References in the text of plans: `${input}`, `${steps.ID.output}`, and `$${` for a plain `${`."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


class Source(Enum):
    """Says what a reference stands for."""

    INPUT = "input"  # the run's input
    STEP = "step"  # the output of an earlier step
    ITEM = "item"  # in a fan-out: the item
    INDEX = "index"  # in a fan-out: the item's position
    UNKNOWN = "unknown"  # none of these, or never closed


@dataclass(frozen=True, slots=True)
class Reference:
    """Represents one reference in a text: `text` is how it is written there, from `start` to before `end`."""

    text: str
    start: int
    end: int
    source: Source
    step_id: str = ""


# What a lookup returns takes the place of the reference; what it raises passes through.
Lookup = Callable[[Reference], JsonValue]

# An escape, a reference, or one that is never closed. The escape comes first, so that `$${` is never a reference.
_MARK: Final = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<name>[^{}]*)\}|(?P<open>\$\{)")
_STEP: Final = re.compile(r"steps\.(.+)\.output")
_PLAIN: Final = {"input": Source.INPUT, "item": Source.ITEM, "index": Source.INDEX}


def find(text: str) -> list[Reference]:
    """Returns the references in a text, in order; what looks like one and isn't comes as UNKNOWN."""
    return [_reference(mark) for mark in _MARK.finditer(text) if mark["escape"] is None]


def resolve(value: JsonValue, lookup: Lookup) -> JsonValue:
    """Returns a JSON value in which every text has its references replaced, and its escapes undone.

    A text that is one reference and nothing else becomes the referenced value itself; otherwise a value that isn't
    text goes into the text as JSON. The keys of objects are left as they are.
    """
    if isinstance(value, str):
        return _resolve_text(value, lookup)
    if isinstance(value, list):
        return [resolve(item, lookup) for item in value]
    if isinstance(value, dict):
        return {key: resolve(item, lookup) for key, item in value.items()}
    return value


def escape(text: str) -> str:
    """Returns a text that resolves to the given one, whatever it holds."""
    return text.replace("${", "$${")


def _resolve_text(text: str, lookup: Lookup) -> JsonValue:
    pieces: list[str] = []
    position = 0
    for mark in _MARK.finditer(text):
        pieces.append(text[position : mark.start()])
        position = mark.end()
        if mark["escape"] is not None:
            pieces.append("${")
            continue
        value = lookup(_reference(mark))
        if mark.start() == 0 and mark.end() == len(text):
            return value
        pieces.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    pieces.append(text[position:])
    return "".join(pieces)


def _reference(mark: re.Match[str]) -> Reference:
    name = mark["name"] or ""
    if step := _STEP.fullmatch(name):
        return Reference(mark[0], mark.start(), mark.end(), Source.STEP, step[1])
    return Reference(mark[0], mark.start(), mark.end(), _PLAIN.get(name, Source.UNKNOWN))
