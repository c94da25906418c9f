"""The services that the gateway calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc.aio

from penstock.v1.event_pb2_grpc import EventServiceStub
from penstock.v1.executor_pb2_grpc import ExecutorServiceStub
from penstock.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from penstock.v1.ownership_pb2_grpc import OwnershipServiceStub
from penstock.v1.run_log_pb2_grpc import RunLogServiceStub
from penstock.v1.session_pb2_grpc import SessionServiceStub
from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceStub

if TYPE_CHECKING:
    from penstock.v1.event_pb2_grpc import EventServiceAsyncStub
    from penstock.v1.executor_pb2_grpc import ExecutorServiceAsyncStub
    from penstock.v1.orchestrator_pb2_grpc import OrchestratorServiceAsyncStub
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub
    from penstock.v1.session_pb2_grpc import SessionServiceAsyncStub
    from penstock.v1.tool_runner_pb2_grpc import ToolRunnerServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Holds a stub for each service that the gateway calls."""

    orchestrator: OrchestratorServiceAsyncStub
    executor: ExecutorServiceAsyncStub
    tools: ToolRunnerServiceAsyncStub
    run_log: RunLogServiceAsyncStub
    ownership: OwnershipServiceAsyncStub
    sessions: SessionServiceAsyncStub
    events: EventServiceAsyncStub

    @classmethod
    def over(
        cls,
        *,
        orchestrator: grpc.aio.Channel,
        executor: grpc.aio.Channel,
        tools: grpc.aio.Channel,
        state: grpc.aio.Channel,
    ) -> Neighbours:
        """Makes the stubs over one channel for each layer."""
        return cls(
            orchestrator=OrchestratorServiceStub(orchestrator),
            executor=ExecutorServiceStub(executor),
            tools=ToolRunnerServiceStub(tools),
            run_log=RunLogServiceStub(state),
            ownership=OwnershipServiceStub(state),
            sessions=SessionServiceStub(state),
            events=EventServiceStub(state),
        )
