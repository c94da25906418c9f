"""Running an agent off the record."""

import asyncio

import grpc
import pytest
import sample_agents
import sample_effects
from mesh import METADATA, wishes

from penstock.v1 import run_event_pb2 as events
from penstock.v1.executor_pb2 import AgentWork, StreamExecuteRequest
from penstock.v1.run_pb2 import Content
from penstock.wire.status import reason_of


async def test_a_stream_is_numbered_from_one_and_ends_with_how_the_step_ended(mesh):
    """Tokens in order, then step_finished with all of the text."""
    got = await mesh.stream("words", Content(text="the river falls"))
    assert [event.sequence for event in got] == [1, 2, 3, 4]
    assert [event.token.text for event in got[:3]] == ["the ", "river ", "falls "]
    end = got[-1].step_finished
    assert end.outcome == events.STEP_OUTCOME_SUCCEEDED
    assert end.output == [Content(text="the river falls ")]
    assert {(event.step_id, event.attempt) for event in got} == {("main", 1)}


async def test_everything_an_agent_can_yield_has_its_event(mesh):
    """Reasoning, progress, usage, custom events, turns and a chosen output; empty text has none."""
    got = await mesh.stream("everything", Content(text="x"))
    assert [event.WhichOneof("event") for event in got] == [
        "token", "progress", "token", "usage", "custom", "turn_finished", "turn_finished", "step_finished",
    ]  # fmt: skip
    assert got[0].token.reasoning == "let me see"
    assert (got[1].progress.message, got[1].progress.fraction) == ("half", 0.5)
    assert (got[3].usage.input_tokens, got[3].usage.output_tokens, got[3].usage.model_requests) == (3, 2, 1)
    assert (got[4].custom.name, got[4].custom.payload_json) == ("note", '{"n":12345678901234567890,"list":[]}')
    assert [got[5].turn_finished.turn, got[6].turn_finished.turn] == [1, 2]
    assert got[7].step_finished.output == [Content(json='{"answer":[1,2]}')]


async def test_tools_that_act_once_are_refused_where_nothing_is_recorded(mesh):
    """The agent reads why, and no tool is called."""
    got = await mesh.stream("calls", *wishes(("send", {"to": "a"}), ("put", {"value": 1})))
    text = got[-1].step_finished.output[0].text
    assert text.startswith("[send not_called: send was not called: its effect happens once")
    assert text.endswith("[put 'put 1']")
    assert sample_effects.counts == {"put": 1}
    assert sample_effects.keys == [""]


async def test_an_agent_that_fails_ends_its_stream_and_not_the_call(mesh):
    """The status of the call is OK."""
    got = await mesh.stream("raises", Content(text="x"))
    end = got[-1].step_finished
    assert (end.outcome, reason_of(end.error)) == (events.STEP_OUTCOME_FAILED, "AGENT_FAILED")


async def test_dropping_the_call_stops_the_agent(mesh):
    """Nobody reads any more."""
    request = StreamExecuteRequest(agent=AgentWork(agent="streams_for_ever"), input=[Content(text="x")])
    async with asyncio.timeout(5):
        ongoing = mesh.executor.StreamExecute(request, metadata=METADATA)
        assert (await ongoing.read()).events[0].token.text == "word "
        ongoing.cancel()
        await sample_agents.scene.ended.wait()


async def test_a_reader_who_stops_reading_stops_the_agent_from_running_ahead(mesh):
    """What waits for a reader is bounded."""
    request = StreamExecuteRequest(agent=AgentWork(agent="floods"), input=[Content(text="x")])
    async with asyncio.timeout(5):
        ongoing = mesh.executor.StreamExecute(request, metadata=METADATA)
        await ongoing.read()
        for _ in range(200):
            await asyncio.sleep(0)
        assert sample_agents.scene.seen["kilobytes"] < 2_000
        ongoing.cancel()
        await sample_agents.scene.ended.wait()


async def test_a_call_without_a_tenant_is_refused(mesh):
    """Layers name the tenant they work for."""
    request = StreamExecuteRequest(agent=AgentWork(agent="words", task="x"))
    with pytest.raises(grpc.aio.AioRpcError, match="x-penstock-tenant"):
        [response async for response in mesh.executor.StreamExecute(request)]
