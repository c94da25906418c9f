"""The orchestrator's rpcs."""

import grpc.aio

from penstock.orchestrator.start import Starter
from penstock.orchestrator.workflows import Workflows
from penstock.v1.orchestrator_pb2 import (
    DescribeWorkflowsRequest,
    DescribeWorkflowsResponse,
    StartRunRequest,
    StartRunResponse,
)
from penstock.v1.orchestrator_pb2_grpc import OrchestratorServiceServicer
from penstock.v1.run_log_pb2 import RECORD_OUTCOME_EXISTING
from penstock.wire.context import TENANT, current_context
from penstock.wire.errors import InvalidArgument
from penstock.wire.ids import ID_RULE, is_id
from penstock.wire.tracing import note


class OrchestratorServicer(OrchestratorServiceServicer):
    """Answers once a run is recorded; its work goes on in this process."""

    def __init__(self, starter: Starter, workflows: Workflows, instance_id: str) -> None:
        self._starter = starter
        self._workflows = workflows
        self._instance_id = instance_id

    async def StartRun(
        self,
        request: StartRunRequest,
        context: grpc.aio.ServicerContext[StartRunRequest, StartRunResponse],
    ) -> StartRunResponse:
        """Records, claims and starts a run in one store call."""
        asking = current_context()
        if asking is None or not asking.tenant:
            raise InvalidArgument.of([(f"metadata[{TENANT}]", "is missing; a layer's caller names the tenant there")])
        if not is_id(request.run_id):
            raise InvalidArgument.of([("run_id", f"must be {ID_RULE}")])
        note(run_id=request.run_id)
        result = await self._starter.start(asking, request.run_id, request.spec)
        return StartRunResponse(run=result.record.run, created=result.outcome != RECORD_OUTCOME_EXISTING)

    async def DescribeWorkflows(
        self,
        request: DescribeWorkflowsRequest,
        context: grpc.aio.ServicerContext[DescribeWorkflowsRequest, DescribeWorkflowsResponse],
    ) -> DescribeWorkflowsResponse:
        """Describes the named plans."""
        return DescribeWorkflowsResponse(workflows=self._workflows.describe(), instance_id=self._instance_id)
