"""Records of a store as lines of a file."""

import base64
import binascii
import json

# Named here so that statuses with their details can be written as JSON: protobuf must know what is in them.
import google.rpc.error_details_pb2  # noqa: F401 - known to protobuf by being imported
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from penstock.v1.state_admin_pb2 import StoreRecord


def to_line(record: StoreRecord) -> str:
    """Returns a record as a line of JSON; one with parts that JSON can't say has its bytes, `packed`."""
    try:
        members = json_format.MessageToDict(record, preserving_proto_field_name=True)
    except (json_format.Error, TypeError):
        # Details of a status, of a kind that is known to nobody here.
        packed = base64.b64encode(record.SerializeToString()).decode()
        members = {"cursor": record.cursor, "packed": packed}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"


def from_line(line: str) -> StoreRecord:
    """Reads a record from its line; raises ValueError that says what is wrong with it."""
    try:
        members = json.loads(line)
        if not isinstance(members, dict):
            raise ValueError("is no record: it is no JSON object")
        if "packed" in members:
            return StoreRecord.FromString(base64.b64decode(members["packed"], validate=True))
        return json_format.ParseDict(members, StoreRecord())
    except (json.JSONDecodeError, binascii.Error, DecodeError) as error:
        raise ValueError(f"is no record: {error}") from error
    except RecursionError:
        raise ValueError("is no record: it is nested too deeply") from None
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise ValueError(f"is a record that is not known here: {error}") from error
