"""The exit codes of the command line."""

from enum import IntEnum


class Exit(IntEnum):
    """Represents how a command ended."""

    OK = 0
    RUN_NOT_SUCCEEDED = 1
    USAGE = 2
    CALL_FAILED = 3
    INTERRUPTED = 130
