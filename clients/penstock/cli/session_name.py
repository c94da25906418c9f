"""Names for conversations that nobody has named."""

import secrets
from typing import Final

_KINDS: Final = [
    "amber",
    "brisk",
    "calm",
    "clear",
    "deep",
    "early",
    "fair",
    "gentle",
    "keen",
    "light",
    "lucid",
    "mild",
    "plain",
    "quiet",
    "steady",
    "warm",
]
_THINGS: Final = [
    "bay",
    "brook",
    "cove",
    "dale",
    "delta",
    "fjord",
    "lake",
    "marsh",
    "mill",
    "pond",
    "reef",
    "river",
    "spring",
    "tide",
    "weir",
    "well",
]
_DIGITS: Final = "abcdefghijkmnpqrstuvwxyz23456789"


def new_session_id() -> str:
    """Makes a session id that can be read out and typed, one of 268 million."""
    mark = "".join(secrets.choice(_DIGITS) for _ in range(4))
    return f"chat-{secrets.choice(_KINDS)}-{secrets.choice(_THINGS)}-{mark}"
