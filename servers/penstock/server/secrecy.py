"""What must not be shown of values: passwords, tokens, keys."""

import re
from typing import Final

HIDDEN: Final = "********"

_SECRET_KEY: Final = re.compile(r"(?i)(?:.*[_-])?(?:key|token|secret|password|credential)s?")
_IN_URL: Final = re.compile(r"(?i)(\w+://[^/@\s:]*:)([^/@\s]+)(?=@)")
_IN_QUERY: Final = re.compile(r"(?i)([?&](?:[\w-]*(?:password|token|secret|key))=)([^&#\s]+)")


def without_secrets(key: str, value: str) -> str:
    """Hides a value whose key says that it is secret, and passwords inside URLs."""
    if _SECRET_KEY.fullmatch(key) and value:
        return HIDDEN
    return _IN_QUERY.sub(rf"\1{HIDDEN}", _IN_URL.sub(rf"\1{HIDDEN}", value))


def hidden_in(text: str, key: str, value: object) -> str:
    """Hides in a text about a value, which may quote parts of it, all that is secret of the value."""
    if not isinstance(value, str):
        return text
    secrets = {match[2] for pattern in (_IN_URL, _IN_QUERY) for match in pattern.finditer(value)}
    if _SECRET_KEY.fullmatch(key) and value:
        secrets.add(value)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
