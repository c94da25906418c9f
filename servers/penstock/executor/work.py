"""The work of a step: an agent played to its end, or one tool called."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from penstock.executor.agent_context import AgentContext
from penstock.executor.agent_error import ToolCallFailed
from penstock.executor.agent_telemetry import playing
from penstock.executor.loading import Agent
from penstock.executor.outcome import StepFailed
from penstock.executor.sink import Sink
from penstock.executor.tool_calls import ToolCalls
from penstock.executor.transcript import Transcript
from penstock.v1.run_pb2 import Content


async def play_agent(agent: Agent, task: str, context: AgentContext, sink: Sink) -> Sequence[Content]:
    """Runs an agent, hands on what it yields, and returns its output."""
    transcript = Transcript(context.step_id, context.attempt)
    with playing(agent.name, context) as watch:
        async with aclosing(agent.function(task, context)) as items:
            async for item in items:
                events = transcript.take(item)
                if events:
                    watch.emitted(events)
                    await sink.emit(*events)
    return transcript.output()


async def call_one_tool(tool: str, arguments: Mapping[str, Any], tools: ToolCalls) -> Sequence[Content]:
    """Calls the tool that is the whole step; its result is the step's output, its error the step's."""
    try:
        return [Content(json=await tools.call(tool, arguments))]
    except ToolCallFailed as error:
        raise StepFailed(error.status) from error
