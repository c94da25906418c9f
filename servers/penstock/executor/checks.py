"""What a request to the executor must look like."""

import json
from typing import Any

from penstock.v1 import executor_pb2
from penstock.wire.context import TENANT, RequestContext, current_context
from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import ID_RULE, is_id

Violations = list[tuple[str, str]]


def asker() -> RequestContext:
    """Returns who asks; raises InvalidArgument when the call does not say for which tenant."""
    context = current_context()
    if context is None or not context.tenant:
        raise InvalidArgument.of([(f"metadata[{TENANT}]", "is missing; layers name the tenant they work for")])
    return context


def check_execute(request: executor_pb2.ExecuteRequest) -> None:
    """Raises InvalidArgument with every field that is wrong."""
    wrong = [
        (field, f"must be {ID_RULE}")
        for field, value in (("run_id", request.run_id), ("step_id", request.step_id))
        if not is_id(value)
    ]
    wrong += _wrong_session(request.session_id)
    if request.epoch < 1:
        wrong.append(("epoch", "must be at least 1"))
    if request.attempt < 1:
        wrong.append(("attempt", "must be at least 1"))
    if request.HasField("timeout") and request.timeout.ToNanoseconds() <= 0:
        wrong.append(("timeout", "must be more than 0"))
    match request.WhichOneof("work"):
        case "agent":
            wrong += _wrong_agent(request.agent)
        case "tool":
            wrong += _wrong_tool(request.tool)
        case _:
            wrong.append(("work", "is missing; set agent or tool"))
    if wrong:
        raise InvalidArgument.of(wrong)


def check_stream_execute(request: executor_pb2.StreamExecuteRequest) -> None:
    """Raises InvalidArgument with every field that is wrong."""
    wrong = _wrong_session(request.session_id) + _wrong_agent(request.agent)
    if not request.agent.task and not request.input:
        wrong.append(("agent.task", "is empty, and there is no input; give one of them"))
    if wrong:
        raise InvalidArgument.of(wrong)


def tool_arguments(work: executor_pb2.ToolWork) -> dict[str, Any]:
    """Returns a tool step's arguments; raises ValueError when they are no JSON object."""
    try:
        arguments = json.loads(work.arguments_json or "{}", parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(arguments, dict):
        raise ValueError("not an object")
    return arguments


def _wrong_session(session_id: str) -> Violations:
    return [("session_id", f"must be empty or {ID_RULE}")] if session_id and not is_id(session_id) else []


def _wrong_agent(work: executor_pb2.AgentWork) -> Violations:
    return [] if is_id(work.agent) else [("agent.agent", f"must be {ID_RULE}")]


def _wrong_tool(work: executor_pb2.ToolWork) -> Violations:
    wrong = [] if is_id(work.tool) else [("tool.tool", f"must be {ID_RULE}")]
    try:
        tool_arguments(work)
    except ValueError as error:
        wrong.append(("tool.arguments_json", f"must be JSON text of an object ({error})"))
    return wrong


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
