"""For how many seconds commands go on asking a mesh that says `not now`."""

from typing import Final

PATIENCE: Final = 60.0
"""Where something is under way: a run, a conversation."""

SHORT_PATIENCE: Final = 5.0
"""Where somebody looks at an empty screen and wants to know how things stand."""
