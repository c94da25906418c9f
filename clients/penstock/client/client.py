"""The client of a Penstock gateway."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Self, Unpack

from penstock.client.addresses import addresses_in
from penstock.client.calls import Calls
from penstock.client.cursor import Cursor
from penstock.client.doors import Doors
from penstock.client.new_event import new_event
from penstock.client.pages import all_pages
from penstock.client.persistence import Persistence
from penstock.client.replies import Replies
from penstock.client.run_stream import RunStream
from penstock.client.spec import RunOptions, Task, duration, run_spec
from penstock.client.subscription import DEFAULT_UNACKNOWLEDGED, Subscription
from penstock.client.zoned import timestamp, timestamp_after
from penstock.v1 import gateway_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Any

    from penstock.client.event import Event
    from penstock.client.reconnecting import Reconnecting
    from penstock.v1.event_pb2 import TopicEvent
    from penstock.v1.executor_pb2 import AgentDescription
    from penstock.v1.orchestrator_pb2 import WorkflowDescription
    from penstock.v1.run_pb2 import Run, RunState
    from penstock.v1.session_pb2 import Session, SessionMessage
    from penstock.v1.tool_runner_pb2 import ToolDescription

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
PAGE: Final = 200


class Client:
    """Talks to a mesh through its gateway, or through whichever of several gateways answers.

        async with Client("gw-a:50051,gw-b:50051") as client:
            run = await client.execute_run("Summarise this …", agent="summarise")

    `address` is `host:port`, `unix:/path` or a gRPC target, several of them as a sequence or with commas between; else
    ValueError. Calls go to the first until it is lost or says that it, or a layer behind it, is away; then to the next.

    `timeout` is the time in seconds, all repeats included, for each call that doesn't wait for a run's events or end.
    `patience` is for how many seconds after a lost connection, or an answer that says "not now", calls are repeated
    and streams attach again by themselves; 0: never. It makes nothing happen twice: runs are started under a key.
    A client that never reached anybody gives up at once. It stays with the event loop of its first call.

    Every method raises the errors of `penstock.client.errors`, with `request_id` in their metadata, and `run_id` where
    a run was recorded. A run that fails is no error but a Run whose state is FAILED; `error_of` tells why.
    """

    def __init__(
        self, address: str | Sequence[str] = DEFAULT_ADDRESS, *, timeout: float = 30.0, patience: float = 60.0
    ) -> None:
        addresses = addresses_in(address)
        self.address: str = ",".join(addresses)
        """Where the doors are, as one text."""
        self._timeout = timeout
        self._patience = patience
        self._doors = Doors(addresses)
        self._calls = Calls(self._doors, patience)
        self._replies = Replies(self.subscribe, self._publish)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the client's calls and its connections; runs go on."""
        await self._doors.aclose()

    async def create_run(self, task: Task, **options: Unpack[RunOptions]) -> Run:
        """Starts a run in the background, and returns it as recorded: from then on it survives any process.

        run = await client.create_run("Count the words of …", agent="hello", labels={"batch": "7"})
        …
        run = await client.get_run(run.run_id)
        """
        spec = run_spec(task, **options)
        request = pb.CreateRunRequest(spec=spec)
        key = spec.idempotency_key
        return (await self._calls.ask(lambda stub: stub.CreateRun, request, self._timeout, idempotency_key=key)).run

    async def execute_run(self, task: Task, *, wait: float | None = None, **options: Unpack[RunOptions]) -> Run:
        """Starts a run and returns it when it has ended, in whichever way.

            run = await client.execute_run("one two three", agent="hello")
            print(text_of(run) if run.state == RunState.RUN_STATE_SUCCEEDED else error_of(run))

        After `wait` seconds (None: never) this raises DeadlineExceeded, and the run goes on; the same call with the
        error's `metadata["idempotency_key"]` waits on. It is one run however often the call had to be repeated.
        """
        spec = run_spec(task, **options)
        request = pb.ExecuteRunRequest(spec=spec)
        key = spec.idempotency_key
        return (await self._calls.ask(lambda stub: stub.ExecuteRun, request, wait, idempotency_key=key)).run

    def stream_run(
        self,
        task: Task,
        *,
        on_reconnect: Callable[[Reconnecting], None] | None = None,
        **options: Unpack[RunOptions],
    ) -> RunStream:
        """Starts a run, when first iterated over or entered, and yields its events from the first to the last.

            async with client.stream_run("one two three", agent="hello") as stream:
                async for event in stream:
                    print(event.token.text, end="", flush=True)

        A lost connection is made good without a gap or a repeat; `on_reconnect` is told before each pause. Where a
        step's attempt is lost the log says `rewind`: a `Transcript` follows it, and holds exactly one attempt's text.
        """
        request = pb.StreamRunRequest(spec=run_spec(task, **options))
        persistence = Persistence(self._doors, self._patience)
        return RunStream(self._doors, persistence, request, on_reconnect=on_reconnect)

    def attach_run(
        self,
        run_id: str,
        after_sequence: int = 0,
        generation: int = 0,
        *,
        on_reconnect: Callable[[Reconnecting], None] | None = None,
    ) -> RunStream:
        """Yields a run's events after the one seen last, live or after its end alike.

            seen = stream.cursor  # of a stream that was left
            async for event in client.attach_run(run_id, seen.after_sequence, seen.generation):
                …

        Raises (while iterating):
            DataLoss: `generation` is not the log's any more; carries the last common sequence.
            OutOfRange: the events after `after_sequence` are not kept any more; carries the first kept.
        """
        return RunStream(
            self._doors,
            Persistence(self._doors, self._patience),
            run_id=run_id,
            cursor=Cursor(generation, after_sequence),
            on_reconnect=on_reconnect,
        )

    async def get_run(self, run_id: str) -> Run:
        """Returns a run as it stands, with plan, input and output."""
        request = pb.GetRunRequest(run_id=run_id)
        return (await self._calls.ask(lambda stub: stub.GetRun, request, self._timeout, run_id=run_id)).run

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
        """Yields runs for which all conditions hold, newest first, without plan, input and output.

        Times need a zone, as `datetime.now(UTC)` has one; else InvalidArgument.

        async for run in client.list_runs(states=[RunState.RUN_STATE_FAILED], labels={"batch": "7"}):
            print(run.run_id, error_of(run))
        """
        request = pb.ListRunsRequest(page_size=page_size, session_id=session, states=list(states), labels=labels)
        if created_after is not None:
            request.created_after_time.CopyFrom(timestamp("created_after", created_after))
        if created_before is not None:
            request.created_before_time.CopyFrom(timestamp("created_before", created_before))

        async def ask(token: str) -> pb.ListRunsResponse:
            request.page_token = token
            return await self._calls.ask(lambda stub: stub.ListRuns, request, self._timeout)

        return all_pages(ask, lambda page: page.runs)

    async def cancel_run(self, run_id: str, reason: str = "") -> Run:
        """Asks for a run's end, and returns it as it stands; one that had ended before is left as it was.

        The wish is durable when this returns, and the run ends soon after: attach to it to see the end.
        """
        request = pb.CancelRunRequest(run_id=run_id, reason=reason)
        return (await self._calls.ask(lambda stub: stub.CancelRun, request, self._timeout, run_id=run_id)).run

    async def get_session(self, session_id: str) -> Session:
        """Returns a conversation as it stands, without its messages."""
        request = pb.GetSessionRequest(session_id=session_id)
        return (await self._calls.ask(lambda stub: stub.GetSession, request, self._timeout)).session

    def list_messages(
        self, session_id: str, *, newest_first: bool = False, page_size: int = PAGE
    ) -> AsyncGenerator[SessionMessage, None]:
        """Yields a conversation's messages, oldest first unless asked otherwise.

        await client.execute_run("My name is Ann.", agent="model", session="tuesday")
        async for message in client.list_messages("tuesday"):
            print("".join(part.text for part in message.content))
        """

        async def ask(token: str) -> pb.ListMessagesResponse:
            request = pb.ListMessagesRequest(
                session_id=session_id, page_size=page_size, page_token=token, newest_first=newest_first
            )
            return await self._calls.ask(lambda stub: stub.ListMessages, request, self._timeout)

        return all_pages(ask, lambda page: page.messages)

    async def delete_session(self, session_id: str) -> bool:
        """Deletes a conversation and its messages; False when there was none, or none any more after a repeat."""
        request = pb.DeleteSessionRequest(session_id=session_id)
        return (await self._calls.ask(lambda stub: stub.DeleteSession, request, self._timeout)).deleted

    async def list_agents(self) -> list[AgentDescription]:
        """Returns the agents that runs can name."""

        async def ask(token: str) -> pb.ListAgentsResponse:
            request = pb.ListAgentsRequest(page_size=PAGE, page_token=token)
            return await self._calls.ask(lambda stub: stub.ListAgents, request, self._timeout)

        return [agent async for agent in all_pages(ask, lambda page: page.agents)]

    async def list_tools(self) -> list[ToolDescription]:
        """Returns the tools that agents and plans can call."""

        async def ask(token: str) -> pb.ListToolsResponse:
            request = pb.ListToolsRequest(page_size=PAGE, page_token=token)
            return await self._calls.ask(lambda stub: stub.ListTools, request, self._timeout)

        return [tool async for tool in all_pages(ask, lambda page: page.tools)]

    async def list_workflows(self) -> list[WorkflowDescription]:
        """Returns the workflows that runs can name."""

        async def ask(token: str) -> pb.ListWorkflowsResponse:
            request = pb.ListWorkflowsRequest(page_size=PAGE, page_token=token)
            return await self._calls.ask(lambda stub: stub.ListWorkflows, request, self._timeout)

        return [workflow async for workflow in all_pages(ask, lambda page: page.workflows)]

    async def publish(
        self,
        topic: str,
        payload: Any,
        *,
        type: str = "event",
        event_id: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> int:
        """Publishes an event, whose payload is anything that JSON can say, and returns its position in the topic.

            await client.publish("orders", {"order": 7}, type="order.placed", event_id="order-7")

        A topic takes an event of the same `event_id` once, for as long as it keeps it; without one each call publishes
        anew. Raises NotFound for a reply address whose subscriber has gone.
        """
        return await self._publish(topic, new_event(payload, type=type, event_id=event_id, metadata=metadata))

    async def publish_events(self, topic: str, events: Sequence[TopicEvent]) -> list[int]:
        """Publishes up to 1,000 events, all or none, and returns their positions; `new_event` makes one."""
        request = pb.PublishEventRequest(topic=topic, events=events)
        return list((await self._calls.ask(lambda stub: stub.PublishEvent, request, self._timeout)).positions)

    def subscribe(
        self,
        topic: str,
        *,
        group: str = "",
        from_beginning: bool = False,
        from_position: int | None = None,
        max_unacknowledged: int = DEFAULT_UNACKNOWLEDGED,
        visibility_timeout: float = 30.0,
        auto_acknowledge: bool = True,
        on_reconnect: Callable[[Reconnecting], None] | None = None,
    ) -> Subscription:
        """Yields a topic's events, each at least once to one member of each group, from now on or from the beginning.

            async with client.subscribe("orders", group="billing") as orders:
                async for order in orders:
                    await bill(order.payload)  # acknowledged when the loop asks for the next one

        Without a group all events come to this subscription, whose group ends with it. A new group begins with what is
        published from now on, at the oldest event kept (`from_beginning`) or at a position; a group that is there goes
        on where it was. An event that is not acknowledged within `visibility_timeout` seconds (1 s to 12 h), or whose
        member has gone, is delivered again, and after five deliveries goes to the topic `TOPIC.GROUP.dead`.
        """
        joining = pb.SubscribeEventsRequest(
            topic=topic,
            group=group,
            from_position=0 if from_beginning else from_position,
            max_unacknowledged=max_unacknowledged,
            visibility_timeout=duration("visibility_timeout", visibility_timeout),
        )
        return Subscription(
            self._doors,
            Persistence(self._doors, self._patience),
            joining,
            self._publish,
            auto_acknowledge=auto_acknowledge,
            on_reconnect=on_reconnect,
        )

    async def request(
        self,
        topic: str,
        payload: Any,
        *,
        timeout: float = 30.0,
        type: str = "request",
        metadata: Mapping[str, str] | None = None,
    ) -> Event:
        """Publishes a request and returns the reply to it, which a subscriber of the topic gives with `event.reply`.

            reply = await client.request("prices", {"article": 7}, timeout=5)
            print(reply.payload["price"])

        Raises DeadlineExceeded (`NO_REPLY`) when none has come in `timeout` seconds; subscribers see the deadline too.
        """
        request = new_event(payload, type=type, metadata=metadata)
        request.deadline_time.CopyFrom(timestamp_after("timeout", timeout))
        return await self._replies.ask(topic, request, timeout)

    async def get_status(self) -> pb.GetStatusResponse:
        """Tells how the layers are, as the gateway sees them; also where it isn't ready itself."""
        return await self._calls.ask(lambda stub: stub.GetStatus, pb.GetStatusRequest(), self._timeout)

    async def _publish(self, topic: str, event: TopicEvent) -> int:
        (position,) = await self.publish_events(topic, [event])
        return position
