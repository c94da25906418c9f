"""What an attempt needs before it can begin: what agents may see and do, and the record of earlier attempts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import grpc.aio

from penstock.executor.agent_context import AgentContext
from penstock.executor.agent_state import AgentState
from penstock.executor.contents import to_one_value, to_value
from penstock.executor.history import Extent, read_history
from penstock.executor.settings import ExecutorSettings
from penstock.executor.sink import Sink
from penstock.executor.step_attempt import Attempt
from penstock.executor.tool_calls import ToolCalls
from penstock.executor.tool_catalogue import ToolCatalogue
from penstock.executor.tool_record import read_record
from penstock.v1 import run_log_pb2_grpc, session_pb2_grpc, state_pb2_grpc, tool_runner_pb2_grpc
from penstock.v1.executor_pb2 import StepResult
from penstock.v1.run_pb2 import Content
from penstock.wire.context import RequestContext

if TYPE_CHECKING:
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub
    from penstock.v1.session_pb2_grpc import SessionServiceAsyncStub
    from penstock.v1.state_pb2_grpc import StateServiceAsyncStub
    from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceAsyncStub


class Preparation:
    """Gathers from the state and tools layers what agents see; calls that fail raise AioRpcError."""

    def __init__(self, state: grpc.aio.Channel, tools: grpc.aio.Channel, settings: ExecutorSettings) -> None:
        self._values: StateServiceAsyncStub = state_pb2_grpc.StateServiceStub(state)
        self._sessions: SessionServiceAsyncStub = session_pb2_grpc.SessionServiceStub(state)
        self._run_log: RunLogServiceAsyncStub = run_log_pb2_grpc.RunLogServiceStub(state)
        self._tools: ToolRunnerServiceAsyncStub = tool_runner_pb2_grpc.ToolRunnerServiceStub(tools)
        self._catalogue = ToolCatalogue(self._tools)
        self._max_history = settings.max_history

    async def tool_calls(self, attempt: Attempt, sink: Sink) -> ToolCalls:
        """Makes an attempt's way to tools, knowing what earlier attempts did."""
        record = await read_record(self._run_log, attempt)
        return ToolCalls(attempt, sink, self._tools, self._catalogue, record)

    async def agent_context(
        self,
        attempt: Attempt,
        asker: RequestContext,
        tools: ToolCalls,
        *,
        session_id: str,
        extent: Extent,
        given: Sequence[Content],
        results: Iterable[StepResult] = (),
    ) -> AgentContext:
        """Makes what the agent sees, with this extent of the session as its history."""
        history = (
            await read_history(self._sessions, attempt.tenant, session_id, extent, self._max_history)
            if session_id
            else ()
        )
        return AgentContext(
            request=asker,
            run_id=attempt.run_id,
            step_id=attempt.step_id,
            attempt=attempt.attempt,
            session_id=session_id,
            history=history,
            input=tuple(to_value(part) for part in given),
            results=MappingProxyType({result.step_id: to_one_value(result.output) for result in results}),
            state=AgentState(self._values, attempt.tenant),
            tools=tools,
        )
