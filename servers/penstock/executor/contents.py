"""Contents of the contract as Python values, and back."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from penstock.v1.run_pb2 import Content
from penstock.wire.rules.fields import parse_json


def canonical_json(value: Any) -> str:
    """Writes a value as JSON text, the same for equal values.

    Raises:
        TypeError, ValueError, RecursionError: the value has no JSON form, or holds text that is no Unicode.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    text.encode()
    return text


def to_content(value: Any) -> Content:
    """Makes a part of an output: text from a str, JSON from anything else.

    Raises as `canonical_json` does, and ValueError for JSON that is nested too deeply to be kept.
    """
    if isinstance(value, str):
        return Content(text=value)
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    parse_json(text)
    return Content(json=text)


def to_value(content: Content) -> Any:
    """Returns a part as a Python value; JSON that can't be read stays text."""
    if content.WhichOneof("part") != "json":
        return content.text
    try:
        return json.loads(content.json)
    except (ValueError, RecursionError):
        return content.json


def to_text(contents: Iterable[Content]) -> str:
    """Returns all parts as one text, each on lines of its own."""
    return "\n".join(content.json if content.WhichOneof("part") == "json" else content.text for content in contents)


def to_one_value(contents: Sequence[Content]) -> Any:
    """Returns the value of a single JSON part, and the text of anything else."""
    return to_value(contents[0]) if len(contents) == 1 else to_text(contents)
