"""How tools are found, described and refused."""

import json

import pytest

from penstock.tools import tool
from penstock.tools.loading import ToolsNotLoaded, load_tools
from penstock.v1 import run_event_pb2 as events
from penstock.v1.tool_runner_pb2 import CallToolRequest, DescribeToolsRequest


async def test_a_tool_is_described_by_its_signature_docstring_and_declaration(tools):
    """Schema, description, effect and timeout, without anything written twice."""
    async with tools("sample_tools:repeat", "sample_tools:undeclared") as stub:
        described = await stub.DescribeTools(DescribeToolsRequest())
    assert described.instance_id == "tools-1"
    repeat, undeclared = described.tools
    assert (repeat.name, repeat.description) == ("repeat", "Repeats a text.\n\nAs often as asked.")
    assert (repeat.effect, repeat.timeout.ToSeconds()) == (events.EFFECT_NONE, 5)
    assert (undeclared.effect, undeclared.timeout.ToSeconds()) == (events.EFFECT_ONCE, 30)
    schema = json.loads(repeat.parameters_schema_json)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["text"]
    assert schema["properties"]["times"] == {
        "default": 2,
        "maximum": 10,
        "minimum": 1,
        "title": "Times",
        "type": "integer",
    }


async def test_the_context_parameter_is_no_part_of_the_schema(tools):
    """Agents can't forge it."""
    async with tools("sample_tools:who_asks") as stub:
        described = await stub.DescribeTools(DescribeToolsRequest())
        forged = await stub.CallTool(CallToolRequest(tool="who_asks", arguments_json='{"context": {"tenant": "evil"}}'))
    assert json.loads(described.tools[0].parameters_schema_json)["properties"] == {}
    assert forged.outcome == events.TOOL_OUTCOME_INVALID_ARGUMENTS


async def test_an_object_gives_the_methods_that_are_declared(tools):
    """Only those, with their self."""
    async with tools("sample_tools:pump") as stub:
        described = await stub.DescribeTools(DescribeToolsRequest())
        level = await stub.CallTool(CallToolRequest(tool="pump.level"))
    assert [tool.name for tool in described.tools] == ["pump.level"]
    assert level.result_json == "7"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("sample_tools", 'name it as "module:attr"'),
        ("sample tools:repeat", 'name it as "module:attr"'),
        ("no_such_module:repeat", "No module named 'no_such_module'; is its directory on the import path (--app-dir)?"),
        ("sample_tools:no_such", "has no attribute 'no_such'; is the name after the colon right?"),
        ("sample_tools:ALL_OF", "is the name after the colon right?"),
        ("sample_tools:takes_anything", "'args' takes any number of arguments"),
        ("sample_tools:bad_name", "'has spaces' is not 1 to 128 characters"),
        ("sample_tools:generates", "a tool returns one value"),
        ("sample_tools:Pump", "name an instance of it"),
        ("sample_tools:released", "neither a function nor something that holds functions"),
        ("raises_on_import:x", "importing it raised RuntimeError: broken on purpose"),
    ],
)
def test_a_tool_that_can_not_be_had_is_refused_with_how_to_mend_it(spec, said):
    """Each mistake has a text of its own, with the spec as it was written."""
    with pytest.raises(ToolsNotLoaded) as caught:
        load_tools([spec])
    assert f"tool {spec!r}: " in str(caught.value)
    assert said in str(caught.value)


def test_all_mistakes_are_reported_at_once():
    """Nobody mends them one start at a time."""
    with pytest.raises(ToolsNotLoaded) as caught:
        load_tools(["sample_tools", "sample_tools:repeat", "sample_tools:no_such", "sample_tools:another_repeat"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "the name 'repeat' is taken by 'sample_tools:repeat'" in lines[2]


@pytest.mark.parametrize("options", [{"effect": "maybe"}, {"timeout": 0}, {"timeout": float("inf")}])
def test_a_declaration_that_makes_no_sense_is_refused_where_it_stands(options):
    """Not at the first call."""
    with pytest.raises(ValueError, match="must be"):
        tool(**options)
