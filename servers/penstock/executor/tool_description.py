"""`ToolDescription`: what an agent can know of a tool before it calls it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.v1 import run_event_pb2, tool_runner_pb2

_EFFECT_PREFIX: Final = "EFFECT_"


@dataclass(frozen=True, slots=True)
class ToolDescription:
    """Represents one tool of the mesh.

    `parameters_schema` is the JSON Schema of its arguments, an object; `effect` says what a repeat does: "none",
    "idempotent" or "once"; `timeout` is the time in seconds that one call may take.
    """

    name: str
    description: str
    parameters_schema: Mapping[str, Any]
    effect: str
    timeout: float


def described(tool: tool_runner_pb2.ToolDescription) -> ToolDescription:
    """Makes the description from what the tools layer says."""
    return ToolDescription(
        name=tool.name,
        description=tool.description,
        parameters_schema=json.loads(tool.parameters_schema_json or '{"type": "object"}'),
        effect=run_event_pb2.Effect.Name(tool.effect).removeprefix(_EFFECT_PREFIX).lower(),
        timeout=tool.timeout.ToNanoseconds() / 1e9,
    )
