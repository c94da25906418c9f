"""`ToolCalls`: an attempt's calls of tools, each recorded before it leaves and answered once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
from google.rpc.status_pb2 import Status

from penstock.executor.agent_error import ToolCallFailed
from penstock.executor.agent_telemetry import calling_tool
from penstock.executor.contents import canonical_json
from penstock.executor.sink import Sink
from penstock.executor.step_attempt import Attempt
from penstock.executor.tool_catalogue import ToolCatalogue
from penstock.executor.tool_description import ToolDescription, described
from penstock.executor.tool_failure import interrupted, lost, not_found, oversized, refused_once, unreachable
from penstock.executor.tool_record import REPEATABLE, RecordedCall, ToolRecord
from penstock.executor.transcript import MAX_PAYLOAD_BYTES
from penstock.v1 import run_event_pb2 as events
from penstock.v1 import tool_runner_pb2
from penstock.wire.ids import digest
from penstock.wire.status import from_inner_error

if TYPE_CHECKING:
    from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceAsyncStub

_OUTCOME_PREFIX: Final = "TOOL_OUTCOME_"
# Seconds that the tools layer gets on top of the tool's own timeout to answer that it timed out.
_ANSWER_GRACE: Final = 5.0
_LONGEST_STEP_IN_CALL_ID: Final = 100


@dataclass(frozen=True, slots=True)
class _Call:
    call_id: str
    ordinal: int
    tool: str
    arguments_json: str


class ToolCalls:
    """Calls tools for one attempt of one step, also side by side: each call gets its place when it is asked for."""

    def __init__(
        self,
        attempt: Attempt,
        sink: Sink,
        tools: ToolRunnerServiceAsyncStub,
        catalogue: ToolCatalogue,
        record: ToolRecord,
    ) -> None:
        self._attempt = attempt
        self._sink = sink
        self._tools = tools
        self._catalogue = catalogue
        self._record = record
        self._ordinal = 0

    async def list(self) -> tuple[ToolDescription, ...]:
        """Returns the tools that there are; raises a PenstockError when the tools layer does not answer."""
        try:
            return tuple(described(tool) for tool in await self._catalogue.all())
        except grpc.aio.AioRpcError as error:
            raise from_inner_error(error) from error

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """Returns the result as JSON text.

        Raises:
            ToolCallFailed: there is no result.
            TypeError, ValueError: the arguments are no JSON, or over 1 MiB.
        """
        text = recordable(tool, arguments)
        self._ordinal += 1
        call = _Call(_call_id(self._attempt.step_id, self._ordinal), self._ordinal, tool, text)
        with calling_tool(tool, call.call_id, self._attempt) as watch:
            result = await self._answered(call)
            watch.ended(result)
            return _result_json(tool, result)

    async def _answered(self, call: _Call) -> events.ToolResult:
        recorded = self._record.find(call.ordinal, call.tool, call.arguments_json)
        if recorded is not None and recorded.settles and recorded.result is not None:
            return await self._from_record(call, recorded.result)
        if recorded is not None and recorded.may_have_had_effect:
            why = "an earlier attempt made this call, and its result is lost"
            return await self._from_record(call, lost(call.tool, why))
        return await self._make(call, recorded)

    async def _from_record(self, call: _Call, recorded: events.ToolResult) -> events.ToolResult:
        result = events.ToolResult()
        result.CopyFrom(recorded)
        result.from_record = True
        return await self._finish(call, result, self._asked(call))

    async def _make(self, call: _Call, recorded: RecordedCall | None) -> events.ToolResult:
        try:
            tool = await self._catalogue.find(call.tool)
        except grpc.aio.AioRpcError as error:
            return await self._finish(call, unreachable(call.tool, error), self._asked(call))
        if tool is None:
            return await self._finish(call, not_found(call.tool, self._catalogue.names), self._asked(call))
        if not self._attempt.run_id and tool.effect not in REPEATABLE:
            return await self._finish(call, refused_once(call.tool), self._asked(call))
        diverged = recorded is None and self._record.diverges_before_effects(call.ordinal)
        # What only reads does no harm, whatever happened before.
        if diverged and tool.effect != events.EFFECT_NONE:
            why = "an earlier attempt called something else here and may have had effects"
            return await self._from_record(call, lost(call.tool, why))
        return await self._leave(call, tool)

    async def _leave(self, call: _Call, tool: tool_runner_pb2.ToolDescription) -> events.ToolResult:
        key = self._key(call)
        claim = events.ToolClaimed(call_id=call.call_id, idempotency_key=key, effect=tool.effect)
        await self._sink.append(self._asked(call), self._event(tool_claimed=claim))
        request = tool_runner_pb2.CallToolRequest(
            tool=call.tool,
            arguments_json=call.arguments_json,
            idempotency_key=key,
            run_id=self._attempt.run_id,
            step_id=self._attempt.step_id,
            call_id=call.call_id,
        )
        started = time.monotonic()
        try:
            answer = await self._tools.CallTool(request, timeout=tool.timeout.ToNanoseconds() / 1e9 + _ANSWER_GRACE)
        except grpc.aio.AioRpcError as error:
            result = interrupted(call.tool, error, repeatable=tool.effect in REPEATABLE)
        else:
            result = events.ToolResult(outcome=answer.outcome, result_json=answer.result_json)
            if answer.HasField("error"):
                result.error.CopyFrom(answer.error)
            if len(answer.result_json.encode()) > MAX_PAYLOAD_BYTES:
                result = oversized(call.tool)
        result.duration.FromNanoseconds(int((time.monotonic() - started) * 1e9))
        return await self._finish(call, result)

    async def _finish(self, call: _Call, result: events.ToolResult, *before: events.RunEvent) -> events.ToolResult:
        result.call_id = call.call_id
        await self._sink.emit(*before, self._event(tool_result=result))
        return result

    def _asked(self, call: _Call) -> events.RunEvent:
        return self._event(
            tool_call=events.ToolCall(
                call_id=call.call_id, ordinal=call.ordinal, tool=call.tool, arguments_json=call.arguments_json
            )
        )

    def _event(self, **kind: Any) -> events.RunEvent:
        return events.RunEvent(step_id=self._attempt.step_id, attempt=self._attempt.attempt, **kind)

    def _key(self, call: _Call) -> str:
        where = self._attempt
        if not where.run_id:
            return ""
        return digest(
            where.tenant, where.run_id, where.step_id, str(call.ordinal), call.tool, call.arguments_json
        ).hex()


def recordable(tool: str, arguments: Mapping[str, Any]) -> str:
    """Returns arguments as the log has them; raises TypeError or ValueError where they are no JSON, or over 1 MiB."""
    text = canonical_json(dict(arguments))
    if len(text.encode()) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"the arguments of {tool} are over {MAX_PAYLOAD_BYTES} bytes")
    return text


def _result_json(tool: str, result: events.ToolResult) -> str:
    if result.outcome == events.TOOL_OUTCOME_SUCCEEDED:
        return result.result_json
    outcome = events.ToolOutcome.Name(result.outcome).removeprefix(_OUTCOME_PREFIX).lower()
    status = Status()
    status.CopyFrom(result.error)
    raise ToolCallFailed(tool, outcome, status)


def _call_id(step_id: str, ordinal: int) -> str:
    if len(step_id) > _LONGEST_STEP_IN_CALL_ID:
        step_id = f"{step_id[:64]}-{digest(step_id).hex()[:32]}"
    return f"{step_id}:{ordinal}"
