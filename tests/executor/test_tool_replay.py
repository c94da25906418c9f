"""What a later attempt does with the tool calls of the earlier ones."""

import asyncio

import pytest
import sample_effects
from mesh import of_tools, wishes

from penstock.v1 import executor_pb2 as executor
from penstock.v1 import run_event_pb2 as events
from penstock.v1.executor_pb2 import AgentWork, ToolWork
from penstock.wire.status import reason_of

CALLS = AgentWork(agent="calls")


async def lose_attempt(mesh, *calls, last="send_slowly"):
    """Runs a first attempt that is cut off while its last tool works."""
    await mesh.record("r1")
    async with asyncio.timeout(5):
        request = mesh.request("r1", CALLS, input=wishes(*calls, (last, {})))
        ongoing = asyncio.ensure_future(mesh.execute(request))
        await sample_effects.started.wait()
        ongoing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ongoing


async def second_attempt(mesh, *calls):
    return await mesh.execute_next("r1", 2, CALLS, input=wishes(*calls))


async def results_of(mesh, attempt):
    log = of_tools(await mesh.events("r1"))
    return [event.tool_result for event in log if event.attempt == attempt and event.HasField("tool_result")]


async def test_calls_that_have_a_result_are_answered_from_the_record(mesh):
    """No tool is called again, whatever its effect, and the record says so."""
    done = [("send", {"to": "a"}), ("echo", {"value": [1]}), ("breaks", {})]
    await lose_attempt(mesh, *done)
    before = dict(sample_effects.counts)
    answer = await second_attempt(mesh, *done)
    assert answer.output[0].text == "[send 'sent to a'][echo [1]][breaks failed: breaks: broken]"
    assert sample_effects.counts == before
    assert [result.from_record for result in await results_of(mesh, 2)] == [True, True, True]
    claims = [event for event in await mesh.events("r1") if event.attempt == 2 and event.HasField("tool_claimed")]
    assert claims == []


async def test_a_claimed_call_that_acts_once_is_unknown_and_never_repeated(mesh):
    """A claim without a result may have had its effect."""
    await lose_attempt(mesh)
    answer = await second_attempt(mesh, ("send_slowly", {}))
    assert answer.output[0].text.startswith("[send_slowly unknown: the outcome of send_slowly is not known")
    assert sample_effects.counts == {"send_slowly": 1}
    (result,) = await results_of(mesh, 2)
    assert (result.outcome, result.from_record) == (events.TOOL_OUTCOME_UNKNOWN, True)


async def test_an_agent_that_lets_an_unknown_outcome_pass_fails_with_it(mesh):
    """The step's error says so, by which no retry policy tries it again."""
    await mesh.record("r1")
    blunt = AgentWork(agent="sends_slowly")
    async with asyncio.timeout(5):
        ongoing = asyncio.ensure_future(mesh.execute(mesh.request("r1", blunt)))
        await sample_effects.started.wait()
        ongoing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ongoing
    answer = await mesh.execute_next("r1", 2, blunt)
    assert answer.outcome == executor.EXECUTE_OUTCOME_FAILED
    assert reason_of(answer.error) == "TOOL_OUTCOME_UNKNOWN"
    assert sample_effects.counts == {"send_slowly": 1}


async def test_a_claimed_call_that_may_be_repeated_is_with_the_same_key(mesh):
    """The tool recognises the repeat by its key."""
    await lose_attempt(mesh, ("put", {"value": 1}), last="put_slowly")
    answer = await second_attempt(mesh, ("put", {"value": 1}), ("put_slowly", {}))
    assert answer.output[0].text == "[put 'put 1'][put_slowly 'put']"
    assert sample_effects.counts == {"put": 1, "put_slowly": 2}
    assert sample_effects.keys[1] == sample_effects.keys[2] != sample_effects.keys[0]


async def test_a_failed_step_tries_again_what_can_do_no_harm(mesh):
    """Under the same key; otherwise a retry policy would never retry a tool."""
    await mesh.record("r1")
    first = await mesh.execute(mesh.request("r1", ToolWork(tool="fails_first")))
    assert first.outcome == executor.EXECUTE_OUTCOME_FAILED
    second = await mesh.execute_next("r1", 2, ToolWork(tool="fails_first"))
    assert second.output[0].json == '"now"'
    assert len(sample_effects.keys) == 2
    assert len(set(sample_effects.keys)) == 1


async def test_a_failed_step_does_not_repeat_a_tool_that_acts_once(mesh):
    """The recorded failure stands."""
    await mesh.record("r1")
    await mesh.execute(mesh.request("r1", ToolWork(tool="breaks")))
    again = await mesh.execute_next("r1", 2, ToolWork(tool="breaks"))
    assert again.error.message == "breaks: broken"
    assert sample_effects.counts == {"breaks": 1}


async def test_other_calls_after_effects_are_unknown_unless_they_only_read(mesh):
    """An agent that takes another path can't be trusted to act: it may do the same in other words."""
    await lose_attempt(mesh, ("send", {"to": "a"}), ("send", {"to": "c"}))
    answer = await second_attempt(mesh, ("send", {"to": "b"}), ("echo", {"value": 2}), ("put", {"value": 1}))
    text = answer.output[0].text
    assert text.startswith("[send unknown: the outcome of send is not known: an earlier attempt called something else")
    assert "[echo 2][put unknown: " in text
    assert sample_effects.counts == {"send": 2, "send_slowly": 1, "echo": 1}


async def test_other_calls_after_calls_without_effect_are_simply_made(mesh):
    """Nothing has happened that could happen twice."""
    await mesh.record("r1")
    request = mesh.request("r1", CALLS, input=wishes(("echo", {"value": 1}), ("nothing", {})))
    await mesh.execute(request)
    sample_effects.counts.clear()
    await mesh.record("r2")
    call = events.ToolCall(call_id="main:1", ordinal=1, tool="echo", arguments_json='{"value":1}')
    await mesh.append_as_attempt("r2", 1, tool_call=call)
    answer = await mesh.execute_next("r2", 2, CALLS, input=wishes(("send", {"to": "b"})))
    assert answer.output[0].text == "[send 'sent to b']"


async def test_calls_of_other_steps_are_no_record(mesh):
    """Each step has its own places."""
    await mesh.record("r1", steps=["one"])
    work = ToolWork(tool="send", arguments_json='{"to": "a"}')
    await mesh.execute(mesh.request("r1", work, step_id="one"))
    await mesh.open_attempt("r1", 1, "two")
    await mesh.open_attempt("r1", 2, "two")
    await mesh.execute(mesh.request("r1", work, step_id="two", attempt=2))
    assert sample_effects.counts == {"send": 2}
