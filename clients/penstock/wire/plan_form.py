"""The form in which people write plans: mappings and lists, as YAML or JSON gives them, checked against the message."""

import math
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.v1.plan_pb2 import Plan
from penstock.wire.errors import InvalidArgument

LARGEST_WHOLE: Final = 2**53
DEEPEST: Final = 24
"""Levels of maps and lists inside one value: protobuf decodes a hundred nested messages, and a map takes three."""

_HOW_TO_WRITE: Final = {
    "google.protobuf.Duration": 'is a time in seconds, such as "90s" or "0.5s"',
    "google.protobuf.Timestamp": 'is a point in time such as "2030-01-31T08:00:00Z"',
}
_WHOLE: Final = {
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
}

Violation = tuple[str, str]
# Descriptors have two implementations, and the type checker's stubs know no common name for them.
Descriptor = Any


def plan_from(form: object, where: str = "plan") -> Plan:
    """Makes a plan of its JSON form, with field names in snake_case or camelCase.

    Raises:
        InvalidArgument: all that is wrong, each with its path, such as `plan.steps[1].retry.max_attempts`.
    """
    if not isinstance(form, Mapping):
        raise InvalidArgument.of([(where, f"is a plan, which is a map with `steps`, not {_kind(form)}")])
    wrong = list(_message(Plan.DESCRIPTOR, form, where))
    if wrong:
        raise InvalidArgument.of(wrong)
    try:
        return json_format.ParseDict(dict(form), Plan())
    except json_format.ParseError as error:
        raise InvalidArgument.of([(where, str(error))]) from None


def _message(descriptor: Descriptor, form: object, path: str) -> Iterator[Violation]:
    if not isinstance(form, Mapping):
        yield path, f"is a map with {_names(descriptor)}, not {_kind(form)}"
        return
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    chosen: dict[str, str] = {}
    for key, value in form.items():
        at = f"{path}.{key}"
        field = fields.get(key)
        if field is None:
            near = get_close_matches(str(key), [f.name for f in descriptor.fields], n=1)
            yield (
                at,
                f"is no field; did you mean {near[0]}?" if near else f"is no field; there are {_names(descriptor)}",
            )
            continue
        if value is None and not _is_value(field):
            continue  # JSON's null leaves a field unset
        group = field.containing_oneof
        other = chosen.setdefault(group.name if group else field.name, field.name)
        if group is not None and other != field.name:
            yield at, f"stands beside {other}, and only one of the two can be chosen"
        yield from _field(field, value, at)


def _field(field: FieldDescriptor, value: Any, path: str) -> Iterator[Violation]:
    if not field.is_repeated:
        yield from _one(field, value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _one(field, item, f"{path}[{index}]")
    else:
        yield path, f"is a list, not {_kind(value)}"


def _one(field: FieldDescriptor, value: Any, path: str) -> Iterator[Violation]:
    nested = field.message_type
    if _is_value(field):
        yield from _json(value, path, DEEPEST)
    elif nested is not None and nested.full_name not in _HOW_TO_WRITE:
        yield from _message(nested, value, path)
    elif nested is not None:
        if not isinstance(value, str) or not _parses(nested.full_name, value):
            yield path, f"{_HOW_TO_WRITE[nested.full_name]}, not {value!r}"
    elif field.cpp_type in _WHOLE:
        low, high = _WHOLE[field.cpp_type]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            yield path, f"is a whole number from {low} to {high}, not {value!r}"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            yield path, f"is a number, not {value!r}"
    elif field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            yield path, f"is true or false, not {value!r}"
    elif not isinstance(value, str):
        yield path, f"is text, not {_kind(value)}: put it in quotes"


def _json(value: Any, path: str, levels: int) -> Iterator[Violation]:
    """Finds what google.protobuf.Value can't hold or would change."""
    if isinstance(value, Mapping | list) and levels == 0:
        yield path, f"is nested more than {DEEPEST} levels deep"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                yield f"{path}.{key}", f"has a key that is no text but {_kind(key)}: put it in quotes"
            yield from _json(item, f"{path}.{key}", levels - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _json(item, f"{path}[{index}]", levels - 1)
    elif isinstance(value, int) and not -LARGEST_WHOLE <= value <= LARGEST_WHOLE:
        yield path, f"is {value}, and whole numbers beyond 2^53 lose digits here: write it as text, in quotes"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, f"is {value}, which JSON can't say"
    elif value is not None and not isinstance(value, str | int | float):
        yield path, f"is {_kind(value)}, which JSON can't say: put it in quotes"


def _is_value(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Value"


def _parses(full_name: str, text: str) -> bool:
    message = Duration() if full_name == Duration.DESCRIPTOR.full_name else Timestamp()
    try:
        message.FromJsonString(text)
    except ValueError:
        return False
    return True


def _names(descriptor: Descriptor) -> str:
    return ", ".join(field.name for field in descriptor.fields)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, date):
        return "a date"
    return f"{value!r}"
