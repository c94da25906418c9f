"""The executor layer: runs agents, and what their authors import.

An agent is an async generator function of a task and a context, which yields text and events:

    async def echo(task: str, context: AgentContext):
        yield Progress("echoing")
        yield task
"""

from penstock.executor.agent_context import AgentContext
from penstock.executor.agent_error import AgentError, ToolCallFailed
from penstock.executor.agent_state import AgentState, StateEntry, StateWrite
from penstock.executor.events import AgentEvent, Custom, Output, Progress, Reasoning, TurnFinished, Usage
from penstock.executor.history import Message
from penstock.executor.tool_description import ToolDescription

__all__ = [
    "AgentContext",
    "AgentError",
    "AgentEvent",
    "AgentState",
    "Custom",
    "Message",
    "Output",
    "Progress",
    "Reasoning",
    "StateEntry",
    "StateWrite",
    "ToolCallFailed",
    "ToolDescription",
    "TurnFinished",
    "Usage",
]
