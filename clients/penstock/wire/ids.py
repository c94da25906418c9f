"""Names: which are allowed, and how new ones are made."""

import hashlib
import re
import secrets
from typing import Final

ID_PATTERN: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
ID_RULE: Final = "1 to 128 characters of A-Z a-z 0-9 . _ : -"

_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = [high + low for high in _DIGITS for low in _DIGITS]


def is_id(text: str) -> bool:
    """Tells whether a text may name a run, session, agent, tool, step, workflow, topic or request."""
    return ID_PATTERN.fullmatch(text) is not None


def random_id(prefix: str) -> str:
    """Makes a name that no other has: the prefix and 26 characters that hold 128 random bits."""
    return f"{prefix}-{_base32(secrets.token_bytes(16))}"


def run_id_for(tenant: str, idempotency_key: str) -> str:
    """Derives the run's name from tenant and key, so that create-or-get is one atomic step on one key."""
    return f"run-{_base32(digest(tenant, idempotency_key)[:16])}"


def digest(*parts: str) -> bytes:
    """Hashes parts with SHA-256, each with its length before it, so that no two lists of parts collide."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode()
        hasher.update(len(data).to_bytes(8, "big") + data)
    return hasher.digest()


def _base32(data: bytes) -> str:
    # RFC 4648's alphabet in lower case, ten bits at a time: a fifth of what the library's encoder costs.
    number = int.from_bytes(data, "big") << 2
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])
