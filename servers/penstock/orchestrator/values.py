"""What plans refer to: inputs, outputs and arguments as JSON values."""

import json
from collections.abc import Mapping, Sequence

from google.protobuf.struct_pb2 import Value

from penstock.v1.run_pb2 import Content
from penstock.wire.errors import InvalidArgument
from penstock.wire.references import JsonValue, Lookup, Reference, Source, resolve


def to_value(contents: Sequence[Content]) -> JsonValue:
    """Turns contents into one JSON value: a single part as it is, texts joined by line breaks, anything else a list."""
    parts = [_part(content) for content in contents]
    if len(parts) == 1:
        return parts[0]
    if all(content.WhichOneof("part") == "text" for content in contents):
        return "\n".join(content.text for content in contents)
    return parts


def to_text(value: JsonValue) -> str:
    """Turns a JSON value into text: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def from_message(value: Value) -> JsonValue:
    """Turns a plan's value into JSON; whole numbers become integers."""
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [from_message(item) for item in value.list_value.values]
        case "struct_value":
            return {key: from_message(item) for key, item in value.struct_value.fields.items()}
        case _:
            return None


class Results:
    """Keeps what the plan's texts may refer to: the run's input and the outputs of the steps so far."""

    def __init__(self, run_input: Sequence[Content]) -> None:
        self._input = run_input
        self.outputs: dict[str, Sequence[Content]] = {}

    def size(self) -> int:
        """Returns the bytes of all outputs so far."""
        return sum(content.ByteSize() for output in self.outputs.values() for content in output)

    def fill(self, value: JsonValue) -> JsonValue:
        """Replaces the references in a JSON value.

        Raises:
            InvalidArgument: a reference to something that isn't there.
        """
        return resolve(value, self._lookup())

    def _lookup(self) -> Lookup:
        outputs: Mapping[str, Sequence[Content]] = self.outputs

        def lookup(reference: Reference) -> JsonValue:
            if reference.source is Source.INPUT:
                return to_value(self._input)
            if reference.source is Source.STEP and reference.step_id in outputs:
                return to_value(outputs[reference.step_id])
            raise InvalidArgument(f"{reference.text} refers to nothing that is known here", reason="UNKNOWN_REFERENCE")

        return lookup


def _part(content: Content) -> JsonValue:
    if content.WhichOneof("part") == "json":
        parsed: JsonValue = json.loads(content.json)
        return parsed
    return content.text
