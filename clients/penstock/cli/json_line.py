"""Messages as JSON for programs: one object a line, with the proto's own field names."""

import json
import sys
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message


def print_json(message: Message) -> None:
    """Prints a message's JSON form as one line, at once; 64-bit numbers are strings there."""
    text = json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)
    _write(text)


def print_json_object(members: dict[str, Any]) -> None:
    """Prints several values as one object; messages among them, also in lists, are in their JSON form."""
    _write(json.dumps(members, default=_message, ensure_ascii=False))


def _message(value: Message) -> dict[str, Any]:
    return json_format.MessageToDict(value, preserving_proto_field_name=True)


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
