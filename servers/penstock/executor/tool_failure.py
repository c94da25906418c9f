"""How a tool call ends that the tools layer did not answer, as the result to be recorded."""

from collections.abc import Sequence
from typing import Final

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status

from penstock.v1 import run_event_pb2 as events
from penstock.wire.errors import NotFound
from penstock.wire.status import DETAILS_KEY, failed_status, from_rpc_error, to_status

# What grpc and the in-process channel say when a call got no connection at all. Any other text counts as "may have
# been made", which is the side to err on.
_NEVER_SENT: Final = (
    "failed to connect to all addresses",
    "connections to all backends failing",
    "errors resolving ",
    "the in-process server ",
)
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)


def not_found(tool: str, known: Sequence[str]) -> events.ToolResult:
    """Makes the result of a call of a tool that there is not."""
    return _result(events.TOOL_OUTCOME_NOT_CALLED, to_status(NotFound.named("tool", tool, known)))


def unreachable(tool: str, error: grpc.aio.AioRpcError) -> events.ToolResult:
    """Makes the result of a call that was not made, because the tools layer did not answer."""
    text = f"{tool} was not called: no tool runner answered ({error.code().name})"
    return _result(events.TOOL_OUTCOME_NOT_CALLED, _status(grpc.StatusCode.UNAVAILABLE, text, "TOOLS_UNAVAILABLE"))


def refused_once(tool: str) -> events.ToolResult:
    """Makes the result of a call that needs a record, where there is none."""
    text = (
        f"{tool} was not called: its effect happens once, and StreamExecute keeps no record of it; "
        "run the agent through the gateway"
    )
    return _result(events.TOOL_OUTCOME_NOT_CALLED, _status(grpc.StatusCode.FAILED_PRECONDITION, text, "EFFECT_ONCE"))


def lost(tool: str, why: str) -> events.ToolResult:
    """Makes the result of a call that may have had its effect and is not repeated."""
    text = f"the outcome of {tool} is not known: {why}"
    return _result(events.TOOL_OUTCOME_UNKNOWN, _status(grpc.StatusCode.UNKNOWN, text, "TOOL_OUTCOME_UNKNOWN"))


def oversized(tool: str) -> events.ToolResult:
    """Makes the result of a call whose answer is larger than the log takes."""
    text = f"{tool} succeeded, but its result is too large to be recorded"
    status = _status(grpc.StatusCode.RESOURCE_EXHAUSTED, text, "TOOL_RESULT_TOO_LARGE")
    return _result(events.TOOL_OUTCOME_FAILED, status)


def interrupted(tool: str, error: grpc.aio.AioRpcError, *, repeatable: bool) -> events.ToolResult:
    """Makes the result of a call that left, and ended without an answer."""
    code = error.code()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        text = f"{tool} did not answer in time; it may have had its effect"
        return _result(events.TOOL_OUTCOME_TIMED_OUT, _status(code, text, "TOOL_TIMEOUT"))
    if _refused(error):
        # The tools layer itself said no, in words made for callers.
        return _result(events.TOOL_OUTCOME_NOT_CALLED, to_status(from_rpc_error(error)))
    if (error.details() or "").startswith(_NEVER_SENT):
        return unreachable(tool, error)
    why = f"the tools layer ended the call with {code.name}"
    if repeatable:
        status = _status(grpc.StatusCode.UNAVAILABLE, f"{tool} gave no result: {why}", "TOOLS_UNAVAILABLE")
        return _result(events.TOOL_OUTCOME_FAILED, status)
    return lost(tool, why)


def _refused(error: grpc.aio.AioRpcError) -> bool:
    explained = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
    return explained and error.code() in _REFUSALS


def _status(code: grpc.StatusCode, text: str, reason: str) -> Status:
    return failed_status(code, text, reason)


def _result(outcome: events.ToolOutcome, status: Status) -> events.ToolResult:
    return events.ToolResult(outcome=outcome, error=status)
