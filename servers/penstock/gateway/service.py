"""`GatewayService`: the public door."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.gateway.caller import current_tenant
from penstock.gateway.catalogue import Catalogue
from penstock.gateway.conversations import Conversations
from penstock.gateway.ended_run import ended_run
from penstock.gateway.patience import give_up_at
from penstock.gateway.run_creation import RunCreation
from penstock.gateway.run_records import RunRecords
from penstock.gateway.run_streams import Cursor, RunStreams
from penstock.gateway.status import MeshStatus
from penstock.gateway.topics import Topics
from penstock.v1 import gateway_pb2 as pb
from penstock.v1.gateway_pb2_grpc import GatewayServiceServicer
from penstock.v1.orchestrator_pb2 import StartRunResponse
from penstock.wire.errors import NotFound
from penstock.wire.rules.fields import check_id
from penstock.wire.rules.findings import Findings

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """Holds what the gateway's rpcs are made of, one part for each concept."""

    creation: RunCreation
    streams: RunStreams
    records: RunRecords
    conversations: Conversations
    catalogue: Catalogue
    topics: Topics
    status: MeshStatus


class GatewayService(GatewayServiceServicer):
    """Serves everything that users call; each rpc is told in terms of the gateway's parts."""

    def __init__(self, parts: GatewayParts) -> None:
        self._parts = parts
        self._margin = parts.streams.settings.answer_margin

    async def CreateRun(self, request: pb.CreateRunRequest, context: Context) -> pb.CreateRunResponse:
        """Records a run and answers."""
        started = await self._start(request, give_up_at(context, self._margin))
        return pb.CreateRunResponse(run=started.run, created=started.created)

    async def StreamRun(self, request: pb.StreamRunRequest, context: Context) -> AsyncGenerator[pb.StreamRunResponse]:
        """Records a run and streams it from its beginning."""
        patience = give_up_at(context, self._margin)
        started = await self._start(request, patience)
        cursor = Cursor(current_tenant(), started.run.run_id)
        async with aclosing(self._parts.streams.events(cursor, patience, pb.StreamRunResponse)) as messages:
            async for message in messages:
                yield message

    async def AttachRun(self, request: pb.AttachRunRequest, context: Context) -> AsyncGenerator[pb.AttachRunResponse]:
        """Streams a run from a cursor on."""
        findings = Findings()
        check_id(findings, "run_id", request.run_id)
        findings.raise_any()
        cursor = Cursor(current_tenant(), request.run_id, request.generation, request.after_sequence)
        patience = give_up_at(context, self._margin)
        try:
            async with aclosing(self._parts.streams.events(cursor, patience, pb.AttachRunResponse)) as messages:
                async for message in messages:
                    yield message
        except NotFound:
            raise await self._parts.records.missing(cursor.tenant, cursor.run_id) from None

    async def ExecuteRun(self, request: pb.ExecuteRunRequest, context: Context) -> pb.ExecuteRunResponse:
        """Records a run and answers when it has ended."""
        patience = give_up_at(context, self._margin)
        started = await self._start(request, patience)
        run_id = started.run.run_id
        cursor = Cursor(current_tenant(), run_id, after_sequence=started.run.last_sequence)
        news = await self._parts.streams.wait_for_end(cursor, patience)
        ended = ended_run(started.run, news)
        return pb.ExecuteRunResponse(run=ended or await self._parts.records.read(run_id))

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.GetRunResponse:
        """Returns a run as it stands."""
        return pb.GetRunResponse(run=await self._parts.records.read(request.run_id))

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        """Returns a page of runs."""
        return await self._parts.records.find(request)

    async def CancelRun(self, request: pb.CancelRunRequest, context: Context) -> pb.CancelRunResponse:
        """Makes the wish to end a run durable."""
        return await self._parts.records.cancel(request)

    async def SignalRun(self, request: pb.SignalRunRequest, context: Context) -> pb.SignalRunResponse:
        """Makes an approval or input for a run durable."""
        return await self._parts.records.signal(request)

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.GetSessionResponse:
        """Returns a conversation without its messages."""
        return pb.GetSessionResponse(session=await self._parts.conversations.read(request.session_id))

    async def ListMessages(self, request: pb.ListMessagesRequest, context: Context) -> pb.ListMessagesResponse:
        """Returns a page of a conversation."""
        return await self._parts.conversations.messages(request)

    async def DeleteSession(self, request: pb.DeleteSessionRequest, context: Context) -> pb.DeleteSessionResponse:
        """Deletes a conversation that no run is working on."""
        return pb.DeleteSessionResponse(deleted=await self._parts.conversations.delete(request.session_id))

    async def ListAgents(self, request: pb.ListAgentsRequest, context: Context) -> pb.ListAgentsResponse:
        """Returns a page of agents."""
        return await self._parts.catalogue.agents(request)

    async def ListTools(self, request: pb.ListToolsRequest, context: Context) -> pb.ListToolsResponse:
        """Returns a page of tools."""
        return await self._parts.catalogue.tools(request)

    async def ListWorkflows(self, request: pb.ListWorkflowsRequest, context: Context) -> pb.ListWorkflowsResponse:
        """Returns a page of workflows."""
        return await self._parts.catalogue.workflows(request)

    async def PublishEvent(self, request: pb.PublishEventRequest, context: Context) -> pb.PublishEventResponse:
        """Publishes events to a topic."""
        return await self._parts.topics.publish(request)

    async def SubscribeEvents(  # type: ignore[override] # a coroutine that writes answers a stream as well
        self, request_iterator: AsyncIterator[pb.SubscribeEventsRequest], context: Context
    ) -> None:
        """Streams a topic's events to one member of a group, and takes its answers."""
        await self._parts.topics.subscribe(request_iterator, context.write)

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        """Returns the mesh's condition as this gateway sees it."""
        return await self._parts.status.ask()

    async def _start(
        self, request: pb.CreateRunRequest | pb.StreamRunRequest | pb.ExecuteRunRequest, patience: float | None
    ) -> StartRunResponse:
        return await self._parts.creation.create(request.spec, present=request.HasField("spec"), give_up_at=patience)
