"""How agents fail in words of their own, and how their tool calls fail."""

from google.rpc.status_pb2 import Status


class AgentError(Exception):
    """An agent's failure with a text that is meant for the caller; that of any other exception stays in the log.

    `reason` is an UPPER_SNAKE constant that programs can compare.
    """

    def __init__(self, message: str, *, reason: str = "AGENT_ERROR") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


class ToolCallFailed(Exception):
    """A tool call gave no result.

    `outcome` is "failed", "invalid_arguments" (nothing was run), "timed_out", "unknown" (it may have had its effect
    and is not repeated) or "not_called" (nothing was run); `status` has the details.
    """

    def __init__(self, tool: str, outcome: str, status: Status) -> None:
        super().__init__(status.message)
        self.tool = tool
        self.outcome = outcome
        self.status = status
