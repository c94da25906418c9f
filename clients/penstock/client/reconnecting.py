"""What a stream tells before it attaches again."""

from dataclasses import dataclass

from penstock.client.cursor import Cursor
from penstock.wire.errors import PenstockError


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """Represents a connection that was lost, and the attempt to go on where it was.

    `error` is what ended the connection, `cursor` the place to go on from. It is the `attempt`-th since all was well
    (from 1), after a pause of so many seconds, at the door of this address.
    """

    error: PenstockError
    cursor: Cursor
    attempt: int
    pause: float
    address: str
