"""The client of a Penstock gateway."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, Self, Unpack

import grpc

from penstock.client.asking import Asked, asking
from penstock.client.door import open_door
from penstock.client.pages import all_pages
from penstock.client.run_stream import Cursor, RunStream
from penstock.client.spec import RunOptions, Task, run_spec
from penstock.v1 import gateway_pb2 as pb
from penstock.v1 import gateway_pb2_grpc
from penstock.wire.target import grpc_target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping
    from datetime import datetime
    from types import TracebackType

    from penstock.v1.executor_pb2 import AgentDescription
    from penstock.v1.gateway_pb2_grpc import GatewayServiceAsyncStub
    from penstock.v1.orchestrator_pb2 import WorkflowDescription
    from penstock.v1.run_pb2 import Run, RunState
    from penstock.v1.session_pb2 import Session, SessionMessage
    from penstock.v1.tool_runner_pb2 import ToolDescription

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
PAGE: Final = 200


class Client:
    """Talks to one gateway, or to several replicas of it behind one address; for use with `async with`.

    `address` is `host:port`, several `ip:port` with commas between, or a gRPC target (else: ValueError). `timeout` is
    the time in seconds for each call that doesn't wait for a run's events or end.

    Every method raises the errors of `penstock.wire.errors`, with `request_id` in their metadata, and `run_id` where a
    run was recorded. A run that fails is no error but a Run whose state is FAILED.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS, *, timeout: float = 30.0) -> None:
        self.address = address
        self._target = grpc_target(address)
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the client's calls and its connection; runs go on."""
        await self._channel.close()

    async def create_run(self, task: Task, **options: Unpack[RunOptions]) -> Run:
        """Starts a run in the background, and returns it as recorded."""
        spec = run_spec(task, **options)
        with asking(self.address, idempotency_key=spec.idempotency_key) as asked:
            request = pb.CreateRunRequest(spec=spec)
            answer = await self._stub.CreateRun(request, timeout=self._timeout, metadata=asked.metadata)
        return answer.run

    async def execute_run(self, task: Task, *, wait: float | None = None, **options: Unpack[RunOptions]) -> Run:
        """Starts a run and returns it when it has ended, in whichever way.

        After `wait` seconds (None: never) this raises DeadlineExceeded, and the run goes on; the same call with the
        error's `idempotency_key` waits on.
        """
        spec = run_spec(task, **options)
        with asking(self.address, idempotency_key=spec.idempotency_key) as asked:
            request = pb.ExecuteRunRequest(spec=spec)
            answer = await self._stub.ExecuteRun(request, timeout=wait, metadata=asked.metadata)
        return answer.run

    def stream_run(self, task: Task, **options: Unpack[RunOptions]) -> RunStream:
        """Starts a run, when first iterated over or entered, and yields its events from the first to the last."""
        request = pb.StreamRunRequest(spec=run_spec(task, **options))
        asked = Asked.anew(self.address)
        return RunStream(lambda: self._stub.StreamRun(request, timeout=None, metadata=asked.metadata), asked)

    def attach_run(self, run_id: str, after_sequence: int = 0, generation: int = 0) -> RunStream:
        """Yields a run's events after the one seen last, live or after its end alike.

        Raises (while iterating):
            DataLoss: `generation` is not the log's any more; carries the last common sequence.
            OutOfRange: the events after `after_sequence` are not kept any more; carries the first kept.
        """
        cursor = Cursor(generation, after_sequence)
        request = pb.AttachRunRequest(run_id=run_id, generation=generation, after_sequence=after_sequence)
        asked = Asked.anew(self.address)
        return RunStream(
            lambda: self._stub.AttachRun(request, timeout=None, metadata=asked.metadata),
            asked,
            run_id=run_id,
            cursor=cursor,
        )

    async def get_run(self, run_id: str) -> Run:
        """Returns a run as it stands."""
        with asking(self.address, run_id=run_id) as asked:
            request = pb.GetRunRequest(run_id=run_id)
            return (await self._stub.GetRun(request, timeout=self._timeout, metadata=asked.metadata)).run

    def list_runs(
        self,
        *,
        session: str = "",
        states: Iterable[RunState] = (),
        labels: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = PAGE,
    ) -> AsyncGenerator[Run, None]:
        """Yields runs for which all conditions hold, newest first, without plan, input and output."""
        request = pb.ListRunsRequest(page_size=page_size, session_id=session, states=list(states), labels=labels)
        if created_after is not None:
            request.created_after_time.FromDatetime(created_after)
        if created_before is not None:
            request.created_before_time.FromDatetime(created_before)

        async def ask(token: str) -> pb.ListRunsResponse:
            request.page_token = token
            with asking(self.address) as asked:
                return await self._stub.ListRuns(request, timeout=self._timeout, metadata=asked.metadata)

        return all_pages(ask, lambda page: page.runs)

    async def cancel_run(self, run_id: str, reason: str = "") -> Run:
        """Asks for a run's end, and returns it as it stands; one that had ended before is left as it was."""
        with asking(self.address, run_id=run_id) as asked:
            request = pb.CancelRunRequest(run_id=run_id, reason=reason)
            return (await self._stub.CancelRun(request, timeout=self._timeout, metadata=asked.metadata)).run

    async def get_session(self, session_id: str) -> Session:
        """Returns a conversation as it stands, without its messages."""
        with asking(self.address) as asked:
            request = pb.GetSessionRequest(session_id=session_id)
            return (await self._stub.GetSession(request, timeout=self._timeout, metadata=asked.metadata)).session

    def list_messages(
        self, session_id: str, *, newest_first: bool = False, page_size: int = PAGE
    ) -> AsyncGenerator[SessionMessage, None]:
        """Yields a conversation's messages, oldest first unless asked otherwise."""

        async def ask(token: str) -> pb.ListMessagesResponse:
            request = pb.ListMessagesRequest(
                session_id=session_id, page_size=page_size, page_token=token, newest_first=newest_first
            )
            with asking(self.address) as asked:
                return await self._stub.ListMessages(request, timeout=self._timeout, metadata=asked.metadata)

        return all_pages(ask, lambda page: page.messages)

    async def delete_session(self, session_id: str) -> bool:
        """Deletes a conversation and its messages; False when there was none."""
        with asking(self.address) as asked:
            request = pb.DeleteSessionRequest(session_id=session_id)
            return (await self._stub.DeleteSession(request, timeout=self._timeout, metadata=asked.metadata)).deleted

    async def list_agents(self) -> list[AgentDescription]:
        """Returns the agents that runs can name."""

        async def ask(token: str) -> pb.ListAgentsResponse:
            request = pb.ListAgentsRequest(page_size=PAGE, page_token=token)
            with asking(self.address) as asked:
                return await self._stub.ListAgents(request, timeout=self._timeout, metadata=asked.metadata)

        return [agent async for agent in all_pages(ask, lambda page: page.agents)]

    async def list_tools(self) -> list[ToolDescription]:
        """Returns the tools that agents and plans can call."""

        async def ask(token: str) -> pb.ListToolsResponse:
            request = pb.ListToolsRequest(page_size=PAGE, page_token=token)
            with asking(self.address) as asked:
                return await self._stub.ListTools(request, timeout=self._timeout, metadata=asked.metadata)

        return [tool async for tool in all_pages(ask, lambda page: page.tools)]

    async def list_workflows(self) -> list[WorkflowDescription]:
        """Returns the workflows that runs can name."""

        async def ask(token: str) -> pb.ListWorkflowsResponse:
            request = pb.ListWorkflowsRequest(page_size=PAGE, page_token=token)
            with asking(self.address) as asked:
                return await self._stub.ListWorkflows(request, timeout=self._timeout, metadata=asked.metadata)

        return [workflow async for workflow in all_pages(ask, lambda page: page.workflows)]

    async def get_status(self) -> pb.GetStatusResponse:
        """Tells how the layers are, as the gateway sees them; also where it isn't ready itself."""
        with asking(self.address) as asked:
            request = pb.GetStatusRequest()
            return await self._stub.GetStatus(request, timeout=self._timeout, metadata=asked.metadata)

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        # Made on first use: a channel belongs to the running event loop, and a client may be made before there is one.
        return open_door(self._target)

    @cached_property
    def _stub(self) -> GatewayServiceAsyncStub:
        return gateway_pb2_grpc.GatewayServiceStub(self._channel)
