"""`MeshToolset`: the mesh's tools, as pydantic-ai's agents use tools."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic_ai import ModelRetry, RunContext
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool
from pydantic_core import SchemaValidator, core_schema

from penstock.executor.agent_context import AgentContext
from penstock.executor.agent_error import ToolCallFailed
from penstock.executor.model.tool_names import model_names
from penstock.executor.tool_calls import recordable
from penstock.executor.tool_description import ToolDescription

# Any object: the tools layer, which has the schema, checks what is in it.
_ANY_OBJECT: Final = SchemaValidator(core_schema.dict_schema(core_schema.str_schema()))


class MeshToolset(AbstractToolset[None]):
    """Lets a model call the mesh's tools for one attempt of a step; what tools fail with, it is told.

    Invalid arguments are asked for again, at most `tries` times. An outcome that is not known raises ToolCallFailed: no
    model can tell whether to go on.
    """

    def __init__(self, context: AgentContext, tools: Sequence[ToolDescription], tries: int) -> None:
        self._context = context
        self._names = model_names(tool.name for tool in tools)
        self._tries = tries
        self._known = {tool.name: tool for tool in tools}

    @property
    def id(self) -> str:
        """The toolset's name among those of an agent."""
        return "penstock"

    async def get_tools(self, ctx: RunContext[None]) -> dict[str, ToolsetTool[None]]:
        """Returns the tools by the names that the model gets."""
        return {spoken: self._tool(spoken, self._known[name]) for spoken, name in self._names.items()}

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        """Calls a tool through the attempt's record, and returns its result."""
        try:
            recordable(self._names[name], tool_args)
        except (ValueError, RecursionError) as error:  # what is no JSON to others, such as NaN
            raise ModelRetry(f"these arguments can't be used: {error}") from error
        try:
            return await self._context.call_tool(self._names[name], tool_args)
        except ToolCallFailed as error:
            if error.outcome == "unknown":
                raise
            if error.outcome == "invalid_arguments":
                raise ModelRetry(str(error)) from error
            raise ToolFailed(str(error)) from error

    def _tool(self, spoken: str, tool: ToolDescription) -> ToolsetTool[None]:
        definition = ToolDefinition(
            name=spoken, description=tool.description, parameters_json_schema=dict(tool.parameters_schema)
        )
        return ToolsetTool(toolset=self, tool_def=definition, max_retries=self._tries, args_validator=_ANY_OBJECT)
