"""Rules for single fields that several requests have in common."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.rules.findings import Findings, shorten

LONGEST_SECONDS: Final = 30 * 24 * 3600
MOST_PAGE: Final = 1000
DEFAULT_PAGE: Final = 50
MOST_JSON_LEVELS: Final = 100

_STEPS: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_NEITHER_BRACKET_NOR_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+')


def check_id(findings: Findings, path: str, text: str, *, required: bool = True) -> None:
    """Notes an id that is missing where it is required, or outside its alphabet."""
    if not text:
        if required:
            findings.wrong(path, f"is missing; it must be {ID_RULE}")
    elif not is_id(text):
        findings.wrong(path, f"{quoted(text)} is no id; it must be {ID_RULE}")


def check_enum(findings: Findings, path: str, number: int, known: Iterable[int]) -> None:
    """Notes an enum value that the contract does not have; proto3 lets any number through."""
    if number not in known:
        findings.wrong(path, f"{number} is no value of this enum")


def check_page_size(findings: Findings, size: int) -> None:
    """Notes a page size outside 0 to 1,000."""
    if not 0 <= size <= MOST_PAGE:
        findings.wrong("page_size", f"is {size}; it must be 1 to {MOST_PAGE}, or 0 for {DEFAULT_PAGE}")


def check_duration(findings: Findings, path: str, duration: Duration, *, zero: bool = False) -> None:
    """Notes a time that is malformed, negative, over 30 days, or zero where that makes no sense."""
    seconds, nanos = duration.seconds, duration.nanos
    if abs(nanos) > 999_999_999 or seconds * nanos < 0:
        findings.wrong(path, "is malformed: nanos must be below one second, with the sign of seconds")
    elif seconds < 0 or nanos < 0:
        findings.wrong(path, "is negative; it must be " + ("0 or more" if zero else "more than 0"))
    elif not zero and seconds == nanos == 0:
        findings.wrong(path, "is 0; it must be more than 0")
    elif seconds > LONGEST_SECONDS or (seconds == LONGEST_SECONDS and nanos):
        findings.wrong(path, "is over 30 days; it must be at most 2592000s")


def parse_json(text: str) -> Any:
    """Reads JSON strictly: no NaN, no half characters, at most 100 levels, and numbers as text so that none is rounded.

    Raises:
        ValueError: with a text for the caller.
    """
    if _is_too_deep(text):
        raise ValueError(f"is nested more than {MOST_JSON_LEVELS} levels deep")
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_int=str, parse_float=str)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no character") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    return value


def quoted(text: str) -> str:
    """Returns a text as it may stand in an error: quoted, without control characters, and not too long."""
    return repr(shorten(text, 60))


def _is_too_deep(text: str) -> bool:
    """Tells whether lists and objects stand in each other too deep, in JSON and in whatever looks like it."""
    if text.count("[") + text.count("{") <= MOST_JSON_LEVELS:
        return False
    levels = 0
    for bracket in _NEITHER_BRACKET_NOR_STRING.sub("", text):
        levels += _STEPS.get(bracket, 0)
        if levels > MOST_JSON_LEVELS:
            return True
    return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"is not JSON: it has no {name}")
