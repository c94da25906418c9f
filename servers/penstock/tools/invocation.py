"""One call of one tool: its arguments checked, its time bounded, whatever it does turned into an outcome."""

import asyncio
import inspect
import logging
import time
from functools import partial
from typing import Final

import grpc
from google.rpc.status_pb2 import Status

from penstock.tools.loading import Tool
from penstock.tools.signature import InvalidArguments, to_json
from penstock.tools.threads import ToolThreads
from penstock.tools.tool_context import ToolContext
from penstock.tools.tool_error import ToolError
from penstock.v1 import run_event_pb2, tool_runner_pb2
from penstock.wire.status import failed_status

MAX_RESULT_BYTES: Final = 1024 * 1024
_LOGGER: Final = logging.getLogger("penstock.tools")

Answer = tool_runner_pb2.CallToolResponse


class Invoker:
    """Calls tools; a tool that won't stop is left to the given group, and its caller is answered all the same."""

    def __init__(self, group: asyncio.TaskGroup, threads: ToolThreads, stop_grace: float) -> None:
        self._group = group
        self._threads = threads
        self._stop_grace = stop_grace

    async def invoke(self, tool: Tool, arguments_json: str, context: ToolContext) -> Answer:
        """Returns how the call ended; raises nothing but the cancellation of the caller."""
        started = time.monotonic()
        # A task of its own, because a tool may swallow its cancellation and still its caller must be answered.
        task = self._group.create_task(self._call(tool, arguments_json, context), name=f"tool {tool.name}")
        try:
            await asyncio.wait({task}, timeout=tool.options.timeout)
            if task.done():
                answer = task.result()
            else:
                await self._stop(task, tool)
                answer = _timed_out(tool)
        except asyncio.CancelledError:
            await self._stop(task, tool)
            raise
        answer.duration.FromNanoseconds(int((time.monotonic() - started) * 1e9))
        return answer

    async def _stop(self, task: asyncio.Task[Answer], tool: Tool) -> None:
        task.cancel()
        await asyncio.wait({task}, timeout=self._stop_grace)
        if not task.done():
            _LOGGER.error("tool %s did not stop within %s s of its cancellation", tool.name, self._stop_grace)

    async def _call(self, tool: Tool, arguments_json: str, context: ToolContext) -> Answer:
        try:
            arguments = tool.signature.bind(arguments_json or "{}", context)
            call = partial(tool.function, **arguments)
            # Reading arguments and writing results may run code of the tool's own as well.
            return _succeeded(tool, await call() if _is_async(tool) else await self._threads.run(call))
        except InvalidArguments as error:
            outcome = run_event_pb2.TOOL_OUTCOME_INVALID_ARGUMENTS
            return _failed(outcome, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENTS", f"{tool.name}: {error}")
        except ToolError as error:
            return _tool_failed(f"{tool.name}: {error}")
        except BaseException as error:  # SystemExit too: a tool must not end the server
            if isinstance(error, asyncio.CancelledError) and _being_cancelled():
                raise
            _LOGGER.exception("tool %s failed", tool.name, extra=_facts(context))
            return _tool_failed(f"{tool.name} raised {type(error).__name__}")


def _is_async(tool: Tool) -> bool:
    if inspect.isroutine(tool.function) or not callable(tool.function):
        return inspect.iscoroutinefunction(tool.function)
    return inspect.iscoroutinefunction(type(tool.function).__call__)


def _facts(context: ToolContext) -> dict[str, str]:
    return {"request_id": context.request_id, "run_id": context.run_id, "call_id": context.call_id}


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _succeeded(tool: Tool, result: object) -> Answer:
    try:
        text = to_json(result)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        _LOGGER.warning("tool %s returned what is no JSON: %s", tool.name, error)
        return _tool_failed(
            f"{tool.name} returned a {type(result).__name__} that can't be written as JSON", "TOOL_RESULT_NOT_JSON"
        )
    if size > MAX_RESULT_BYTES:
        return _failed(
            run_event_pb2.TOOL_OUTCOME_FAILED,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOOL_RESULT_TOO_LARGE",
            f"{tool.name} returned {size} bytes of JSON; the limit is {MAX_RESULT_BYTES}",
        )
    return Answer(outcome=run_event_pb2.TOOL_OUTCOME_SUCCEEDED, result_json=text)


def _timed_out(tool: Tool) -> Answer:
    return _failed(
        run_event_pb2.TOOL_OUTCOME_TIMED_OUT,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "TOOL_TIMEOUT",
        f"{tool.name} did not answer within {tool.options.timeout:g} s; it may have had its effect",
    )


def _tool_failed(text: str, reason: str = "TOOL_FAILED") -> Answer:
    return _failed(run_event_pb2.TOOL_OUTCOME_FAILED, grpc.StatusCode.INTERNAL, reason, text)


def _failed(outcome: run_event_pb2.ToolOutcome, code: grpc.StatusCode, reason: str, text: str) -> Answer:
    status: Status = failed_status(code, text, reason)
    return Answer(outcome=outcome, error=status)
