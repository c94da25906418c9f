"""Lists of what runs can name, and the condition of the mesh."""

from __future__ import annotations

from pathlib import Path

import grpc.aio
import pytest

from penstock.v1.gateway_pb2 import GetStatusRequest, ListAgentsRequest, ListToolsRequest, ListWorkflowsRequest
from penstock.wire import errors
from penstock.wire.status import from_rpc_error
from tests.gateway.house import House, open_house


async def test_agents_are_listed_by_name_in_pages(full_house: House) -> None:
    """Pages of one join to the whole list, in order."""
    listed: list[str] = []
    token = ""
    for _ in range(20):
        page = await full_house.gateway.ListAgents(ListAgentsRequest(page_size=1, page_token=token))
        assert len(page.agents) == 1
        listed.append(page.agents[0].name)
        token = page.next_page_token
        if not token:
            break
    else:
        pytest.fail("the pages never end")
    assert listed == ["broken", "endless", "shout"]


async def test_tools_and_workflows_are_listed_too(full_house: House) -> None:
    """A tool comes with its schema; without workflows the list is empty, and no error."""
    tools = (await full_house.gateway.ListTools(ListToolsRequest())).tools
    assert [tool.name for tool in tools] == ["count_words"]
    assert '"text"' in tools[0].parameters_schema_json
    assert not (await full_house.gateway.ListWorkflows(ListWorkflowsRequest())).workflows


async def test_a_list_refuses_wrong_sizes_and_foreign_tokens(full_house: House) -> None:
    """Both are INVALID_ARGUMENT with the field's name."""
    token = (await full_house.gateway.ListAgents(ListAgentsRequest(page_size=1))).next_page_token
    for call, field in (
        (full_house.gateway.ListTools(ListToolsRequest(page_token=token)), "page_token"),
        (full_house.gateway.ListTools(ListToolsRequest(page_size=-1)), "page_size"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        error = from_rpc_error(caught.value)
        assert isinstance(error, errors.InvalidArgument)
        assert [violation.field for violation in error.violations] == [field]


async def test_status_shows_each_layer_with_the_checks_behind_its_answer(full_house: House) -> None:
    """All layers serve, in the order in which a call passes them, each with version, instance, checks and latency."""
    status = await full_house.gateway.GetStatus(GetStatusRequest())
    assert (status.service_name, status.environment, status.version) == ("penstock", "test", "1.2.3")
    assert (status.instance_id, list(status.feature_flags)) == ("gateway-1", ["reflection"])
    assert [layer.layer for layer in status.layers] == ["orchestrator", "executor", "tools", "state"]
    assert all(layer.serving and layer.version == "1.2.3" and layer.HasField("latency") for layer in status.layers)
    state = status.layers[-1]
    assert (state.instance_id, state.address) == ("state-1", "in-process")
    assert [(check.name, check.passed) for check in state.checks] == [("store", True)]


async def test_status_shows_dead_and_draining_layers_with_a_reason(tmp_path: Path) -> None:
    """What can't be reached is no failure of the call; what is there and not serving says why."""
    async with open_house(tmp_path, layers=("tools",)) as house:
        house.health["state"].draining = True
        layers = {layer.layer: layer for layer in (await house.gateway.GetStatus(GetStatusRequest())).layers}
        assert {name: layer.serving for name, layer in layers.items()} == {
            "orchestrator": False,
            "executor": False,
            "tools": True,
            "state": False,
        }
        assert layers["executor"].reason.startswith("can't be reached")
        assert not layers["executor"].HasField("latency")
        assert "draining" in layers["state"].reason
        assert layers["state"].HasField("latency")
