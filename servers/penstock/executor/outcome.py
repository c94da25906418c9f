"""How the work of an attempt ends, whatever the agent's code does."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from google.rpc.status_pb2 import Status

from penstock.executor.agent_error import AgentError, ToolCallFailed
from penstock.executor.transcript import MAX_PAYLOAD_BYTES, OutputTooLarge
from penstock.run_log.refusal import AppendRefused, LogStalled
from penstock.v1 import run_event_pb2
from penstock.v1.run_pb2 import Content
from penstock.wire.status import failed_status

_LOGGER: Final = logging.getLogger("penstock.executor")
_LONGEST_TEXT: Final = 4_096


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The work is done, with this output."""

    output: Sequence[Content]


@dataclass(frozen=True, slots=True)
class Failed:
    """The work failed by itself; the status is what the run's reader learns."""

    error: Status


@dataclass(frozen=True, slots=True)
class Lost:
    """The log takes no more, so that nobody can learn what came of the work."""

    error: Exception


Outcome = Succeeded | Failed | Lost
Work = Callable[[], Awaitable[Sequence[Content]]]


class StepFailed(Exception):
    """The work knows its own status, such as that of a tool that was the step."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


async def outcome_of(work: Work, name: str, request_id: str) -> Outcome:
    """Returns how the work ended; raises nothing but the cancellation of the task it runs in."""
    try:
        return Succeeded(await work())
    except StepFailed as error:
        return Failed(error.status)
    except AgentError as error:
        _LOGGER.info("%s failed in words of its own: %s", name, error, extra={"request_id": request_id})
        return Failed(_status(grpc.StatusCode.INTERNAL, error.message[:_LONGEST_TEXT], error.reason, request_id))
    except ToolCallFailed as error:
        if error.outcome == "unknown":
            # The status says so, and by it nobody tries the step again: the tool may have had its effect.
            return Failed(error.status)
        return _agent_failed(name, request_id)
    except OutputTooLarge:
        text = f"the output is over {MAX_PAYLOAD_BYTES} bytes"
        return Failed(_status(grpc.StatusCode.RESOURCE_EXHAUSTED, text, "OUTPUT_TOO_LARGE", request_id))
    except (AppendRefused, LogStalled) as error:
        return Lost(error)
    except BaseException as error:  # SystemExit too: it must not reach the event loop
        if isinstance(error, asyncio.CancelledError) and _being_cancelled():
            raise
        return _agent_failed(name, request_id)


def end_of(outcome: Succeeded | Failed) -> run_event_pb2.StepFinished:
    """Returns the end of the step that an outcome is."""
    if isinstance(outcome, Failed):
        return run_event_pb2.StepFinished(outcome=run_event_pb2.STEP_OUTCOME_FAILED, error=outcome.error)
    return run_event_pb2.StepFinished(outcome=run_event_pb2.STEP_OUTCOME_SUCCEEDED, output=outcome.output)


def _agent_failed(name: str, request_id: str) -> Failed:
    _LOGGER.exception("%s failed", name, extra={"request_id": request_id})
    text = f"the agent failed; the server's log has the details under request id {request_id}"
    return Failed(_status(grpc.StatusCode.INTERNAL, text, "AGENT_FAILED", request_id))


def timed_out(seconds: float, request_id: str) -> Failed:
    """Makes the outcome of work that used up its time."""
    text = f"the attempt did not end within {seconds:g} s"
    return Failed(_status(grpc.StatusCode.DEADLINE_EXCEEDED, text, "STEP_TIMEOUT", request_id))


def _status(code: grpc.StatusCode, text: str, reason: str, request_id: str) -> Status:
    # A text that is no Unicode would make the whole event unwritable.
    return failed_status(code, text.encode(errors="replace").decode(), reason, {"request_id": request_id})


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
