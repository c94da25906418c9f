"""Messages as JSON for programs: one object a line, with the proto's own field names."""

import sys

from google.protobuf import json_format
from google.protobuf.message import Message


def print_json(message: Message) -> None:
    """Prints a message's JSON form as one line, at once; 64-bit numbers are strings there."""
    text = json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
