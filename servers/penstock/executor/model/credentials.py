"""The key for the model server: from the environment alone, and kept out of every text."""

import os
import re
from typing import Final

KEY_VARIABLE: Final = "OPENAI_API_KEY"
HIDDEN: Final = "********"

# What OpenAI's client sends to servers that need no key.
NO_KEY: Final = "none"

_LIKE_A_KEY: Final = re.compile(r"\bsk-\S+|(?i:\bbearer\s+)\S+")


def api_key() -> str:
    """Returns the key, empty where there is none."""
    return os.environ.get(KEY_VARIABLE, "").strip()


def without_key(text: str) -> str:
    """Hides the key in a text, and whatever looks like one."""
    key = api_key()
    return _LIKE_A_KEY.sub(HIDDEN, text.replace(key, HIDDEN) if key else text)
