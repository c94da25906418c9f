"""`ExecutorService`: runs and describes the agents of this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from penstock.executor.attempt import Limits, run_attempt
from penstock.executor.checks import asker, check_execute, check_stream_execute, tool_arguments
from penstock.executor.contents import to_text
from penstock.executor.history import Extent
from penstock.executor.loading import Agent
from penstock.executor.preparation import Preparation
from penstock.executor.stage import Stage
from penstock.executor.step_attempt import Attempt
from penstock.executor.stream_sink import StreamSink, stream_work
from penstock.executor.work import call_one_tool, play_agent
from penstock.run_log.writer import LogWriter
from penstock.v1 import executor_pb2, executor_pb2_grpc
from penstock.v1.run_pb2 import Content
from penstock.wire.deadline import current_deadline
from penstock.wire.errors import NotFound
from penstock.wire.tracing import note

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

# Of what the call's deadline leaves, the part (at most so many seconds) that is kept for recording a timeout.
_KEPT_PART: Final = 0.1
_KEPT_SECONDS: Final = 0.5
# The step of an agent that runs without a run.
_ONLY_STEP: Final = "main"


class ExecutorService(executor_pb2_grpc.ExecutorServiceServicer):
    """Serves the agents it is given."""

    def __init__(
        self,
        agents: Mapping[str, Agent],
        preparation: Preparation,
        log: LogWriter,
        stage: Stage,
        instance_id: str,
    ) -> None:
        self._agents = agents
        self._preparation = preparation
        self._log = log
        self._stage = stage
        self._description = executor_pb2.DescribeAgentsResponse(
            agents=[
                executor_pb2.AgentDescription(name=agent.name, description=agent.description)
                for agent in agents.values()
            ],
            instance_id=instance_id,
        )

    async def Execute(self, request: executor_pb2.ExecuteRequest, context: Context) -> executor_pb2.ExecuteResponse:
        """Runs one attempt; raises InvalidArgument, NotFound (no such agent), or what made the attempt be lost."""
        check_execute(request)
        who = asker()
        is_tool = request.WhichOneof("work") == "tool"
        agent = None if is_tool else self._agent(request.agent.agent)
        attempt = Attempt(who.tenant, request.run_id, request.step_id, request.attempt)
        note(run_id=request.run_id, step_id=request.step_id)
        writer = self._log.open(
            tenant=attempt.tenant,
            run_id=attempt.run_id,
            epoch=request.epoch,
            step_id=attempt.step_id,
            attempt=attempt.attempt,
            traceparent=who.traceparent,
        )
        tools = await self._preparation.tool_calls(attempt, writer)
        if agent is None:
            work = partial(call_one_tool, request.tool.tool, tool_arguments(request.tool), tools)
        else:
            seen = await self._preparation.agent_context(
                attempt,
                who,
                tools,
                session_id=request.session_id,
                extent=Extent(request.history_first_index, request.history_index),
                given=request.input,
                results=request.results,
            )
            work = partial(play_agent, agent, _task(request.agent, request.input), seen, writer)
        limits = Limits(_seconds(request), who.request_id)
        return await run_attempt(request, work, writer, self._stage, limits)

    async def StreamExecute(
        self, request: executor_pb2.StreamExecuteRequest, context: Context
    ) -> AsyncGenerator[executor_pb2.StreamExecuteResponse]:
        """Runs an agent off the record; raises InvalidArgument or NotFound (no such agent)."""
        check_stream_execute(request)
        who = asker()
        agent = self._agent(request.agent.agent)
        attempt = Attempt(who.tenant, run_id="", step_id=_ONLY_STEP, attempt=1)
        sink = StreamSink()
        seen = await self._preparation.agent_context(
            attempt,
            who,
            await self._preparation.tool_calls(attempt, sink),
            session_id=request.session_id,
            extent=Extent(),
            given=request.input,
        )
        work = partial(play_agent, agent, _task(request.agent, request.input), seen, sink)
        task = self._stage.start(stream_work(work, attempt, sink, who.request_id), f"agent {agent.name}, unrecorded")
        try:
            async with aclosing(sink.batches()) as batches:
                async for events in batches:
                    yield executor_pb2.StreamExecuteResponse(events=events)
        finally:
            await self._stage.stop(task)

    async def DescribeAgents(
        self, request: executor_pb2.DescribeAgentsRequest, context: Context
    ) -> executor_pb2.DescribeAgentsResponse:
        """Describes the agents, by name."""
        return self._description

    def _agent(self, name: str) -> Agent:
        agent = self._agents.get(name)
        if agent is None:
            raise NotFound.named("agent", name, list(self._agents))
        return agent


def _task(work: executor_pb2.AgentWork, given: Iterable[Content]) -> str:
    return work.task or to_text(given)


def _seconds(request: executor_pb2.ExecuteRequest) -> float | None:
    wanted = request.timeout.ToNanoseconds() / 1e9 if request.HasField("timeout") else None
    deadline = current_deadline()
    if deadline is None:
        return wanted
    left = deadline.remaining()
    # A timeout that is recorded tells the run's reader more than a call that breaks off.
    left -= min(_KEPT_SECONDS, left * _KEPT_PART)
    return left if wanted is None else min(wanted, left)
