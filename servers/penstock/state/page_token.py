"""Page tokens: where the next page begins, and of which list."""

import base64
import binascii
import hmac
from typing import Final

from google.protobuf.message import Message

from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import digest

_MARK_BYTES: Final = 9


def make_token(request: Message, place: bytes) -> str:
    """Makes the token of a place in the list that a request asks for."""
    return base64.urlsafe_b64encode(_mark(request, place) + place).decode()


def read_token(request: Message, token: str) -> bytes:
    """Returns the place in a token, which is empty for an empty one.

    Raises:
        InvalidArgument: it was not made for a list with these conditions.
    """
    if not token:
        return b""
    try:
        data = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    mark, place = data[:_MARK_BYTES], data[_MARK_BYTES:]
    if not place or not hmac.compare_digest(mark, _mark(request, place)):
        raise InvalidArgument.of(
            [("page_token", "is not one of this list; repeat the request with `next_page_token`, or begin anew")]
        )
    return place


def _mark(request: Message, place: bytes) -> bytes:
    # No secret: a token names a place among what its bearer may read anyway. It keeps lists apart.
    conditions = type(request)()
    conditions.CopyFrom(request)
    conditions.ClearField("page_token")
    conditions.ClearField("page_size")
    text = conditions.SerializeToString(deterministic=True).hex()
    return digest(type(request).DESCRIPTOR.full_name, text, place.hex())[:_MARK_BYTES]
