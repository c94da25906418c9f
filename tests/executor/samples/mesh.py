"""The layers under test, and what an orchestrator would do to give an executor its work."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.v1 import plan_pb2, run_event_pb2, run_log_pb2, run_pb2, session_pb2
from penstock.v1.executor_pb2 import AgentWork, ExecuteRequest, StreamExecuteRequest, ToolWork
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import Content

TENANT = "acme"
OWNER = "orchestrator-1"
METADATA = (("x-penstock-tenant", TENANT), ("x-request-id", "req-1"))


@dataclass
class Mesh:
    """Holds stubs of the layers, and plays the orchestrator to the executor."""

    executor: Any
    run_log: Any
    sessions: Any
    stop_tools: Callable[[], Awaitable[None]]
    stop_state: Callable[[], Awaitable[None]]
    epochs: dict[str, int] = field(default_factory=dict)

    async def record(self, run_id: str, *, session_id: str = "", steps: Sequence[str] = ("main",)) -> None:
        """Records a run, claims it, and opens the first attempt of its first step."""
        entry = run_log_pb2.RecordRunsEntry(
            tenant=TENANT,
            run_id=run_id,
            spec=run_pb2.RunSpec(agent="any", input=[Content(text="task")], session_id=session_id),
            plan=plan_pb2.Plan(steps=[plan_pb2.Step(step_id=step) for step in steps]),
            owner_instance_id=OWNER,
            events=[RunEvent(run_started=run_event_pb2.RunStarted()), opened(steps[0], 1)],
        )
        response = await self.run_log.RecordRuns(run_log_pb2.RecordRunsRequest(entries=[entry]))
        assert response.results[0].outcome == run_log_pb2.RECORD_OUTCOME_STARTED, response
        self.epochs[run_id] = response.results[0].record.epoch

    async def open_attempt(self, run_id: str, attempt: int, step_id: str = "main") -> None:
        """Opens another attempt, as after a loss or a failure."""
        entry = run_log_pb2.AppendEventsEntry(
            tenant=TENANT,
            run_id=run_id,
            epoch=self.epochs[run_id],
            writer_id=f"{OWNER}-{step_id}-{attempt}",
            writer_sequence=1,
            events=[opened(step_id, attempt)],
        )
        response = await self.run_log.AppendEvents(run_log_pb2.AppendEventsRequest(entries=[entry]))
        assert response.results[0].outcome == run_log_pb2.APPEND_OUTCOME_APPENDED, response

    async def execute(self, request: ExecuteRequest, timeout: float = 10) -> Any:
        """Has the executor run an attempt."""
        return await self.executor.Execute(request, timeout=timeout, metadata=METADATA)

    def request(self, run_id: str, work: AgentWork | ToolWork, attempt: int = 1, **fields: Any) -> ExecuteRequest:
        """Makes the request for an attempt."""
        kind = {"agent": work} if isinstance(work, AgentWork) else {"tool": work}
        fields = {"step_id": "main", "epoch": self.epochs.get(run_id, 1), **fields}
        return ExecuteRequest(run_id=run_id, attempt=attempt, **kind, **fields)

    async def run(self, run_id: str, agent: str, task: str = "", **fields: Any) -> Any:
        """Records a run and executes an agent as its only step."""
        await self.record(run_id)
        return await self.execute(self.request(run_id, AgentWork(agent=agent, task=task), **fields))

    async def execute_next(self, run_id: str, attempt: int, work: AgentWork | ToolWork, **fields: Any) -> Any:
        """Opens a later attempt and executes it."""
        await self.open_attempt(run_id, attempt)
        return await self.execute(self.request(run_id, work, attempt, **fields))

    async def append_as_attempt(self, run_id: str, attempt: int, step_id: str = "main", **kind: Any) -> None:
        """Appends an event as the executor of an attempt would."""
        entry = run_log_pb2.AppendEventsEntry(
            tenant=TENANT,
            run_id=run_id,
            epoch=self.epochs[run_id],
            step_id=step_id,
            attempt=attempt,
            writer_id=f"executor-{next(iter(kind))}",
            writer_sequence=1,
            events=[RunEvent(step_id=step_id, attempt=attempt, **kind)],
        )
        response = await self.run_log.AppendEvents(run_log_pb2.AppendEventsRequest(entries=[entry]))
        assert response.results[0].outcome == run_log_pb2.APPEND_OUTCOME_APPENDED, response

    async def events(self, run_id: str) -> list[RunEvent]:
        """Reads a run's log as it stands."""
        request = run_log_pb2.ReadEventsRequest(tenant=TENANT, run_id=run_id)
        return [event async for batch in self.run_log.ReadEvents(request) for event in batch.events]

    async def wait_for(self, run_id: str, kind: str) -> None:
        """Follows a run's log until it has an event of this kind."""
        stream = self.run_log.ReadEvents(run_log_pb2.ReadEventsRequest(tenant=TENANT, run_id=run_id, follow=True))
        async for batch in stream:
            if any(event.HasField(kind) for event in batch.events):
                stream.cancel()
                return

    async def record_of(self, run_id: str) -> run_log_pb2.RunRecord:
        """Reads a run's record."""
        request = run_log_pb2.ReadRunsRequest(runs=[run_log_pb2.RunName(tenant=TENANT, run_id=run_id)])
        return (await self.run_log.ReadRuns(request)).records[0]

    async def say(self, session_id: str, *messages: session_pb2.SessionMessage) -> None:
        """Appends messages to a session."""
        request = session_pb2.AppendMessagesRequest(tenant=TENANT, session_id=session_id, messages=messages)
        assert (await self.sessions.AppendMessages(request)).applied

    async def messages(self, session_id: str) -> list[session_pb2.SessionMessage]:
        """Reads a session."""
        request = session_pb2.ReadMessagesRequest(tenant=TENANT, session_id=session_id)
        return list((await self.sessions.ReadMessages(request)).messages)

    async def stream(self, agent: str, *content: Content, **fields: Any) -> list[RunEvent]:
        """Runs an agent off the record."""
        request = StreamExecuteRequest(agent=AgentWork(agent=agent), input=content, **fields)
        responses = self.executor.StreamExecute(request, timeout=10, metadata=METADATA)
        return [event async for response in responses for event in response.events]


def opened(step_id: str, attempt: int) -> RunEvent:
    """Makes the event that opens an attempt."""
    return RunEvent(step_id=step_id, attempt=attempt, step_started=run_event_pb2.StepStarted(agent="any"))


def wishes(*calls: tuple[str, dict[str, Any]]) -> list[Content]:
    """Makes the input of the agent that calls what it is told to."""
    parts = [{"tool": tool, "arguments": arguments} for tool, arguments in calls]
    return [Content(text="call"), *(Content(json=json.dumps(part)) for part in parts)]


def of_tools(log: Sequence[RunEvent]) -> list[RunEvent]:
    """Returns the events that tell of tool calls."""
    return [event for event in log if (event.WhichOneof("event") or "").startswith("tool_")]
