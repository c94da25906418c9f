"""What the arguments of a tool step may hold."""

import math
from typing import Final

from google.protobuf.struct_pb2 import Value

from penstock.v1.plan_pb2 import ToolStep
from penstock.wire.ids import is_id
from penstock.wire.rules.fields import quoted
from penstock.wire.rules.findings import Findings
from penstock.wire.rules.references import Visible, check_references

# A double holds every whole number below this, and from here on not the one that the caller wrote.
EXACT_BELOW: Final = 2**53

# Protobuf decodes 100 nested messages. An object is three, and records of runs wrap the plan in eight more.
MOST_NESTED: Final = 24


def check_arguments(findings: Findings, path: str, step: ToolStep, visible: Visible) -> None:
    """Notes arguments that are no object, numbers that were rounded, and references that point at nothing."""
    if not step.HasField("arguments"):
        return
    if step.arguments.WhichOneof("kind") != "struct_value":
        findings.wrong(path, "must be an object of arguments by name")
        return
    _check_value(findings, path, step.arguments, visible, 0)


def _check_value(findings: Findings, path: str, value: Value, visible: Visible, depth: int) -> None:
    if depth > MOST_NESTED:
        findings.wrong(path, f"is nested too deeply; the most is {MOST_NESTED} levels")
        return
    match value.WhichOneof("kind"):
        case "number_value":
            _check_number(findings, path, value.number_value)
        case "string_value":
            check_references(findings, path, value.string_value, visible)
        case "struct_value":
            for key, item in sorted(value.struct_value.fields.items()):
                _check_value(findings, _member(path, key), item, visible, depth + 1)
        case "list_value":
            for index, item in enumerate(value.list_value.values):
                _check_value(findings, f"{path}[{index}]", item, visible, depth + 1)
        case None:
            findings.wrong(path, "has no value; write null for nothing")


def _check_number(findings: Findings, path: str, number: float) -> None:
    if not math.isfinite(number):
        findings.wrong(path, f"is {number}, which JSON does not have")
    elif number.is_integer() and abs(number) >= EXACT_BELOW:
        findings.wrong(path, "is a whole number beyond 2^53, which can't be kept exactly here; write it as text")


def _member(path: str, key: str) -> str:
    return f"{path}.{key}" if is_id(key) and "." not in key else f"{path}[{quoted(key)}]"
