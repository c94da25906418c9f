"""`ToolRunnerService`: calls and describes the tools of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.duration_pb2 import Duration

from penstock.tools.declaration import Effect
from penstock.tools.invocation import Invoker
from penstock.tools.loading import Tool
from penstock.tools.tool_context import ToolContext
from penstock.v1 import run_event_pb2, tool_runner_pb2, tool_runner_pb2_grpc
from penstock.wire.context import current_context
from penstock.wire.errors import InvalidArgument, NotFound
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.tracing import note

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

MAX_ARGUMENTS_BYTES: Final = 1024 * 1024
_EFFECTS: Final[Mapping[Effect, run_event_pb2.Effect]] = {
    "none": run_event_pb2.EFFECT_NONE,
    "idempotent": run_event_pb2.EFFECT_IDEMPOTENT,
    "once": run_event_pb2.EFFECT_ONCE,
}


class ToolRunnerService(tool_runner_pb2_grpc.ToolRunnerServiceServicer):
    """Serves the tools it is given."""

    def __init__(self, tools: Mapping[str, Tool], invoker: Invoker, instance_id: str) -> None:
        self._tools = tools
        self._invoker = invoker
        self._description = tool_runner_pb2.DescribeToolsResponse(
            tools=[_describe(tool) for tool in tools.values()], instance_id=instance_id
        )

    async def CallTool(
        self, request: tool_runner_pb2.CallToolRequest, context: Context
    ) -> tool_runner_pb2.CallToolResponse:
        """Calls a tool once; raises InvalidArgument for a malformed call, NotFound for a tool that there is not."""
        _check(request)
        note(run_id=request.run_id, step_id=request.step_id)
        tool = self._tools.get(request.tool)
        if tool is None:
            raise NotFound.named("tool", request.tool, list(self._tools))
        return await self._invoker.invoke(tool, request.arguments_json, _tool_context(request))

    async def DescribeTools(
        self, request: tool_runner_pb2.DescribeToolsRequest, context: Context
    ) -> tool_runner_pb2.DescribeToolsResponse:
        """Describes the tools, by name."""
        return self._description


def _check(request: tool_runner_pb2.CallToolRequest) -> None:
    wrong = []
    if not is_id(request.tool):
        wrong.append(("tool", f"must be {ID_RULE}"))
    named = {"run_id": request.run_id, "step_id": request.step_id, "call_id": request.call_id}
    for field, value in {**named, "idempotency_key": request.idempotency_key}.items():
        if value and not is_id(value):
            wrong.append((field, f"must be empty or {ID_RULE}"))
    size = len(request.arguments_json.encode())
    if size > MAX_ARGUMENTS_BYTES:
        wrong.append(("arguments_json", f"must be at most {MAX_ARGUMENTS_BYTES} bytes, not {size}"))
    if wrong:
        raise InvalidArgument.of(wrong)


def _tool_context(request: tool_runner_pb2.CallToolRequest) -> ToolContext:
    asker = current_context()
    return ToolContext(
        idempotency_key=request.idempotency_key,
        run_id=request.run_id,
        step_id=request.step_id,
        call_id=request.call_id,
        tenant=asker.tenant if asker else "",
        user=asker.user if asker else "",
        request_id=asker.request_id if asker else "",
    )


def _describe(tool: Tool) -> tool_runner_pb2.ToolDescription:
    timeout = Duration()
    timeout.FromNanoseconds(int(tool.options.timeout * 1e9))
    return tool_runner_pb2.ToolDescription(
        name=tool.name,
        description=tool.description,
        parameters_schema_json=tool.signature.schema_json,
        effect=_EFFECTS[tool.options.effect],
        timeout=timeout,
    )
