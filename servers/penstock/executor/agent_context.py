"""`AgentContext`: what an agent knows and can do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.executor.agent_state import AgentState
from penstock.executor.history import Message
from penstock.wire.context import RequestContext

if TYPE_CHECKING:
    from penstock.executor.tool_calls import ToolCalls
    from penstock.executor.tool_description import ToolDescription


@dataclass(frozen=True, slots=True, eq=False)
class AgentContext:
    """Represents one attempt of one step, as the agent that works on it sees it.

    `run_id` is empty without a run (StreamExecute). `history` holds the session's messages before this run, oldest
    first; `input` the run's input, text as str and JSON as Python values; `results` the outputs of the steps before,
    by step id; `state` the values of the run's tenant.
    """

    request: RequestContext
    run_id: str
    step_id: str
    attempt: int
    session_id: str
    history: tuple[Message, ...]
    input: tuple[Any, ...]
    results: Mapping[str, Any]
    state: AgentState
    tools: ToolCalls = field(repr=False)

    async def call_tool(self, name: str, arguments: Mapping[str, Any] | None = None, /, **more: Any) -> Any:
        """Calls a tool through the tools layer and returns its result, a JSON value.

        Arguments are given as a mapping, by keyword, or both. Calls may run side by side.

        Raises:
            ToolCallFailed: the tool gave no result; its `outcome` says whether anything may have happened.
            TypeError, ValueError: the arguments are no JSON.
        """
        return json.loads(await self.tools.call(name, {**(arguments or {}), **more}))

    async def list_tools(self) -> tuple[ToolDescription, ...]:
        """Returns the tools that can be called, by name; raises a PenstockError when the tools layer is away."""
        return await self.tools.list()
