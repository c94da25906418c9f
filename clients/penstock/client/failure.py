"""How a call failed."""

from dataclasses import dataclass

from penstock.wire.errors import PenstockError


@dataclass(frozen=True, slots=True)
class Failure:
    """Represents a failed call: the error that it is, and what it says of another try.

    `happened` (as in "nothing answers at") and `cause` are for a text that names all addresses. `told`: a server of
    ours said so, and didn't just go silent. `connected`: there was a connection. `repeatable`: another try, here or at
    another door, may succeed.
    """

    error: PenstockError
    happened: str
    cause: str
    told: bool
    connected: bool
    repeatable: bool
