"""The same questions get the same answers in every topology: events, order, statuses and details."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.json_format import MessageToDict

from penstock.client import Client
from tests.topologies.mesh import Mesh

Scene = Callable[[Client], Awaitable[Any]]

# What differs by nature: ids, times, durations, ports and process ids.
_CHANGING = {"time", "duration", "idempotency_key", "value"}
_IDS = re.compile(r"(run|req)-[a-z2-7]{26}|127\.0\.0\.1:\d+")


def steady(value: Any) -> Any:
    """Leaves out of an answer what differs by nature."""
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items() if key not in _CHANGING}
    if isinstance(value, list):
        return [steady(item) for item in value]
    return _IDS.sub("…", value) if isinstance(value, str) else value


async def events_of(client: Client, task: str, **options: Any) -> Any:
    """Streams a run and returns its events in a comparable form."""
    return [
        steady(MessageToDict(event, preserving_proto_field_name=True))
        async for event in client.stream_run(task, **options)
    ]


def plan(*steps: dict[str, Any]) -> dict[str, Any]:
    """Makes an ordered plan."""
    return {"sequential": True, "steps": list(steps)}


SCENES: dict[str, Scene] = {
    "all kinds of events": lambda client: events_of(client, "go", agent="tells"),
    "a failing agent": lambda client: events_of(client, "go", agent="fails"),
    "an exiting agent": lambda client: events_of(client, "go", agent="exits"),
    "an unknown tool": lambda client: events_of(client, "go", agent="asks_wrongly"),
    "a plan of tools and agents": lambda client: events_of(
        client,
        "go",
        plan=plan(
            {"step_id": "sum", "tool": {"tool": "add", "arguments": {"a": 1, "b": 2}}},
            {"step_id": "say", "agent": {"agent": "echo", "task": "${steps.sum.output} ${input}"}},
        ),
    ),
    "a tool's wrong arguments": lambda client: events_of(
        client, "go", plan=plan({"step_id": "sum", "tool": {"tool": "add", "arguments": {"a": "x"}}})
    ),
    "a tool that raises": lambda client: events_of(
        client, "go", plan=plan({"step_id": "t", "tool": {"tool": "breaks", "arguments": {"text": "x"}}})
    ),
    "a retry": lambda client: events_of(
        client,
        "go",
        plan=plan(
            {
                "step_id": "try",
                "agent": {"agent": "unlucky"},
                "retry": {"max_attempts": 2, "initial_backoff": "0.01s"},
            }
        ),
    ),
}


async def test_runs_have_the_same_events_in_the_same_order(meshes: dict[str, Mesh]) -> None:
    """Event by event, with outcomes, texts and details, ids and times aside."""
    seen: dict[str, dict[str, Any]] = {}
    for topology, mesh in meshes.items():
        async with mesh.client() as client:
            seen[topology] = {name: await scene(client) for name, scene in SCENES.items()}
    together, *others = seen.values()
    for name in SCENES:
        for other in others:
            assert together[name] == other[name], name


async def test_the_mesh_tells_the_same_of_itself(meshes: dict[str, Mesh]) -> None:
    """Agents, tools and layers are the same; only where the layers are differs."""
    told = []
    for mesh in meshes.values():
        async with mesh.client() as client:
            status = await client.get_status()
            told.append(
                (
                    [MessageToDict(agent) for agent in await client.list_agents()],
                    [MessageToDict(tool) for tool in await client.list_tools()],
                    [(layer.layer, layer.serving, layer.version) for layer in status.layers],
                )
            )
            assert all(layer.serving for layer in status.layers), status
            instances = {layer.instance_id for layer in status.layers}
            assert len(instances) == (1 if mesh.topology == "one process" else 5)
    assert told == told[:1] * len(meshes)
