"""Page tokens of the lists that are paged here: where the next page begins, and of which list."""

import base64
import binascii
from typing import Final

from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import digest

_MARK_BYTES: Final = 6
_MOST_DIGITS: Final = 18


def make_token(listing: str, position: str) -> str:
    """Makes the opaque token of a position in a listing (whose name holds all that the pages have in common)."""
    return base64.urlsafe_b64encode(_mark(listing, position) + position.encode()).decode().rstrip("=")


def read_token(listing: str, token: str) -> str:
    """Returns the position in a token.

    Raises:
        InvalidArgument: it is no token of this listing.
    """
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        position = data[_MARK_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise _refusal() from None
    # No secret: it tells a token of another list, or a damaged one, from the right one.
    if data[:_MARK_BYTES] != _mark(listing, position):
        raise _refusal()
    return position


def read_index(listing: str, token: str) -> int:
    """Returns the position in a token of a listing whose positions are numbers; raises InvalidArgument as above."""
    position = read_token(listing, token)
    # The mark is no secret, so anyone can make a token of anything; beyond this a number fits no field.
    if not (position.isascii() and position.isdecimal() and len(position) <= _MOST_DIGITS):
        raise _refusal()
    return int(position)


def _mark(listing: str, position: str) -> bytes:
    return digest(listing, position)[:_MARK_BYTES]


def _refusal() -> InvalidArgument:
    return InvalidArgument.of(
        [("page_token", "is no token of this list; send next_page_token of the page before, with the same conditions")]
    )
