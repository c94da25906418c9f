"""What agents and their calls of tools leave in traces and metrics, by the conventions for generative AI."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from penstock.v1.run_event_pb2 import RunEvent, ToolOutcome, ToolResult
from penstock.wire.metering import LONG_SECONDS, Histogram, meter
from penstock.wire.tracing import fail, span, tracer

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from penstock.executor.agent_context import AgentContext
    from penstock.executor.step_attempt import Attempt

AGENT: Final = Histogram("penstock.agent.duration", "s", "Time of agents to their end, by how it was.", LONG_SECONDS)
FIRST_TOKEN: Final = Histogram(
    "penstock.agent.time_to_first_token", "s", "Time from an agent's start to its first token.", LONG_SECONDS
)
TOOL: Final = Histogram("penstock.tool.duration", "s", "Time of calls of tools, by outcome.", LONG_SECONDS)

# Agents make up names of tools; each would be a time series of its own.
_NO_SUCH_TOOL: Final = "_OTHER"


class Playing:
    """Represents an agent at work; told of what it emits until that is a token."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._started = time.perf_counter()
        self._waiting = meter() is not None

    def emitted(self, events: Sequence[RunEvent]) -> None:
        """Notes how long the first token took."""
        if self._waiting and any(event.HasField("token") for event in events):
            self._waiting = False
            FIRST_TOKEN.record(time.perf_counter() - self._started, {"gen_ai.agent.name": self._agent})

    def ended(self, how: str) -> None:
        """Notes how long the agent took."""
        labels = {"gen_ai.agent.name": self._agent, "penstock.outcome": how}
        AGENT.record(time.perf_counter() - self._started, labels)


@contextmanager
def playing(agent: str, context: AgentContext) -> Iterator[Playing]:
    """Gives an agent's work a span, the parent of whatever the agent's author has instrumented."""
    facts = _agent_facts(agent, context) if tracer() is not None else None
    watch, how = Playing(agent), "failed"
    with span(f"invoke_agent {agent}", attributes=facts) as current:
        try:
            yield watch
            how = "succeeded"
        except (asyncio.CancelledError, GeneratorExit):
            how = "cancelled"
            raise
        finally:
            watch.ended(how)
            if current is not None:
                current.set_attribute("penstock.outcome", how)


class ToolCalling:
    """Represents a call of a tool; told of its result."""

    def __init__(self, tool: str, current: Span | None) -> None:
        self._tool = tool
        self._span = current
        self._started = time.perf_counter()

    def ended(self, result: ToolResult) -> None:
        """Notes how the call ended, before the agent learns it."""
        outcome = ToolOutcome.Name(result.outcome).removeprefix("TOOL_OUTCOME_").lower()
        if not result.from_record:
            known = _NO_SUCH_TOOL if outcome == "not_called" else self._tool
            labels = {"gen_ai.tool.name": known, "penstock.tool.outcome": outcome}
            TOOL.record(time.perf_counter() - self._started, labels)
        if self._span is not None:
            self._span.set_attribute("penstock.tool.outcome", outcome)
            self._span.set_attribute("penstock.tool.from_record", result.from_record)
            if outcome != "succeeded":
                fail(self._span, outcome)


@contextmanager
def calling_tool(tool: str, call_id: str, attempt: Attempt) -> Iterator[ToolCalling]:
    """Gives an agent's call of a tool a span, from its claim to its result."""
    facts = _tool_facts(tool, call_id, attempt) if tracer() is not None else None
    with span(f"execute_tool {tool}", attributes=facts) as current:
        yield ToolCalling(tool, current)


def _agent_facts(agent: str, context: AgentContext) -> dict[str, str | int]:
    facts: dict[str, str | int] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent,
        "gen_ai.conversation.id": context.session_id,
        "penstock.run_id": context.run_id,
        "penstock.step_id": context.step_id,
        "penstock.attempt": context.attempt,
        "penstock.tenant": context.request.tenant,
    }
    return {name: value for name, value in facts.items() if value != ""}


def _tool_facts(tool: str, call_id: str, attempt: Attempt) -> dict[str, str | int]:
    facts: dict[str, str | int] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.type": "function",
        "penstock.run_id": attempt.run_id,
        "penstock.step_id": attempt.step_id,
        "penstock.attempt": attempt.attempt,
    }
    return {name: value for name, value in facts.items() if value != ""}
