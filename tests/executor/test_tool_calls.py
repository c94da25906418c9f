"""An agent's calls of tools, and how they are recorded."""

import asyncio

import sample_effects
from mesh import of_tools, wishes

from penstock.v1 import run_event_pb2 as events
from penstock.v1.executor_pb2 import AgentWork
from penstock.wire.ids import digest


async def test_a_call_is_requested_claimed_and_answered_on_the_record(mesh):
    """With place, arguments, effect, key, result and duration."""
    answer = await mesh.run("r1", "calls", input=wishes(("put", {"value": 5})))
    assert answer.output[0].text == "[put 'put 5']"
    call, claim, result = of_tools(await mesh.events("r1"))
    assert call.tool_call == events.ToolCall(call_id="main:1", ordinal=1, tool="put", arguments_json='{"value":5}')
    key = digest("acme", "r1", "main", "1", "put", '{"value":5}').hex()
    assert claim.tool_claimed == events.ToolClaimed(
        call_id="main:1", idempotency_key=key, effect=events.EFFECT_IDEMPOTENT
    )
    assert sample_effects.keys == [key]
    assert (result.tool_result.outcome, result.tool_result.result_json) == (
        events.TOOL_OUTCOME_SUCCEEDED,
        '"put 5"',
    )
    assert result.tool_result.duration.ToNanoseconds() > 0
    assert not result.tool_result.from_record


async def test_the_claim_is_durable_before_the_tool_runs(mesh):
    """While the tool works, its claim can already be read."""
    await mesh.record("r1")
    request = mesh.request("r1", AgentWork(agent="calls"), input=wishes(("send_slowly", {})))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(mesh.execute(request))
        await sample_effects.started.wait()
        kinds = [event.WhichOneof("event") for event in await mesh.events("r1")]
        assert kinds[-2:] == ["tool_call", "tool_claimed"]
        sample_effects.go_on.set()


async def test_calls_side_by_side_each_get_their_own_place_and_result(mesh, caplog):
    """asyncio.gather in an agent works, and asks the tools layer once what it has."""
    caplog.set_level("DEBUG")
    answer = await mesh.run("r1", "calls_at_once")
    assert answer.output[0].text == repr(list(range(20)))
    log = of_tools(await mesh.events("r1"))
    assert [event.tool_call.ordinal for event in log if event.HasField("tool_call")] == list(range(1, 21))
    assert sum(event.HasField("tool_result") for event in log) == 20
    assert sum("ToolRunnerService.DescribeTools" in record.getMessage() for record in caplog.records) == 1


async def test_a_failed_call_is_recorded_and_told_to_the_agent(mesh):
    """The agent goes on."""
    calls = [("breaks", {}), ("put", {"value": "x"}), ("put", {"value": 1})]
    answer = await mesh.run("r1", "calls", input=wishes(*calls))
    text = answer.output[0].text
    assert text.startswith("[breaks failed: breaks: broken][put invalid_arguments: put: value: Input should be")
    assert text.endswith("[put 'put 1']")
    outcomes = [event.tool_result.outcome for event in await mesh.events("r1") if event.HasField("tool_result")]
    assert outcomes == [
        events.TOOL_OUTCOME_FAILED,
        events.TOOL_OUTCOME_INVALID_ARGUMENTS,
        events.TOOL_OUTCOME_SUCCEEDED,
    ]


async def test_an_unknown_tool_is_not_called_and_never_claimed(mesh):
    """The agent is told the nearest names."""
    answer = await mesh.run("r1", "calls", input=wishes(("putt", {})))
    assert answer.output[0].text == "[putt not_called: there is no tool 'putt'; did you mean 'put'?]"
    call, result = of_tools(await mesh.events("r1"))
    assert call.HasField("tool_call")
    assert result.tool_result.outcome == events.TOOL_OUTCOME_NOT_CALLED


async def test_a_call_while_the_tools_layer_is_away_is_not_called(mesh):
    """Both when the tool is unknown yet, and when the connection fails after the claim."""
    await mesh.run("r1", "calls", input=wishes(("send", {"to": "a"})))
    await mesh.stop_tools()
    answer = await mesh.run("r2", "calls", input=wishes(("send", {"to": "b"}), ("never_seen", {})))
    assert "[send not_called: send was not called: no tool runner answered (UNAVAILABLE)]" in answer.output[0].text
    assert "[never_seen not_called: " in answer.output[0].text
    assert sample_effects.counts == {"send": 1}


async def test_a_call_broken_off_while_the_tool_works_has_an_unknown_outcome(mesh):
    """The tool may have had its effect, and is not called again."""
    await mesh.record("r1")
    request = mesh.request("r1", AgentWork(agent="calls"), input=wishes(("send_slowly", {})))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        running = group.create_task(mesh.execute(request))
        await sample_effects.started.wait()
        await mesh.stop_tools()
    assert "[send_slowly unknown: the outcome of send_slowly is not known" in running.result().output[0].text
    assert sample_effects.counts == {"send_slowly": 1}


async def test_arguments_that_are_no_json_are_the_agents_mistake(mesh):
    """TypeError where it stands; nothing is recorded."""
    answer = await mesh.run("r1", "calls_with_socket")
    assert answer.output[0].text.startswith("no: Object of type object is not JSON serializable")
    assert of_tools(await mesh.events("r1")) == []


async def test_a_result_over_the_limit_fails_the_call_and_not_the_run(mesh):
    """The agent is told the limit."""
    answer = await mesh.run("r1", "calls", input=wishes(("big", {}), ("echo", {"value": 1})))
    assert answer.output[0].text == "[big failed: big returned 1048578 bytes of JSON; the limit is 1048576][echo 1]"
