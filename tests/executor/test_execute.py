"""Attempts that succeed, and what of them is on the record."""

import asyncio

import grpc
import pytest
import sample_agents
from mesh import METADATA

from penstock.v1 import executor_pb2 as executor
from penstock.v1 import run_event_pb2 as events
from penstock.v1 import run_pb2, session_pb2
from penstock.v1.executor_pb2 import AgentWork, StepResult, ToolWork
from penstock.v1.run_pb2 import Content
from penstock.wire.errors import InvalidArgument, NotFound
from penstock.wire.status import from_rpc_error


def kinds(log):
    return [event.WhichOneof("event") for event in log]


async def test_an_attempt_is_in_the_log_when_it_is_answered(mesh):
    """Tokens and step_finished, gapless, under the step and attempt; the answer names the last sequence."""
    answer = await mesh.run("r1", "words", "the river falls")
    assert answer.outcome == executor.EXECUTE_OUTCOME_SUCCEEDED
    assert answer.output == [Content(text="the river falls ")]
    assert not answer.run_finished
    log = await mesh.events("r1")
    assert kinds(log) == ["run_started", "step_started", "token", "token", "token", "step_finished"]
    assert [event.sequence for event in log] == [1, 2, 3, 4, 5, 6]
    assert answer.last_sequence == 6
    assert log[-1].step_finished.output == answer.output
    assert {(event.step_id, event.attempt) for event in log[1:]} == {("main", 1)}


async def test_the_last_step_ends_the_run_and_answers_in_the_session(mesh):
    """With finish_run, step_finished, run_finished and the session's message come together."""
    await mesh.record("r1", session_id="s1")
    request = mesh.request("r1", AgentWork(agent="words", task="down"), session_id="s1", finish_run=True)
    answer = await mesh.execute(request)
    assert answer.run_finished
    log = await mesh.events("r1")
    assert kinds(log)[-3:] == ["token", "step_finished", "run_finished"]
    assert answer.last_sequence == log[-1].sequence
    assert log[-1].run_finished.output_step_id == "main"
    record = await mesh.record_of("r1")
    assert (record.run.state, record.run.output[0].text) == (run_pb2.RUN_STATE_SUCCEEDED, "down ")
    (message,) = await mesh.messages("s1")
    assert (message.message_id, message.role, message.run_id) == (
        "r1:answer",
        session_pb2.MESSAGE_ROLE_ASSISTANT,
        "r1",
    )
    assert message.content == answer.output


async def test_tokens_are_in_the_log_before_the_agent_ends(mesh):
    """What an agent has said is durable while it still works."""
    await mesh.record("r1")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        running = group.create_task(mesh.execute(mesh.request("r1", AgentWork(agent="waits", task="x"))))
        await sample_agents.scene.started.wait()
        await mesh.wait_for("r1", "token")
        assert not running.done()
        sample_agents.scene.go_on.set()
    assert running.result().output[0].text == "before after"


async def test_an_agent_sees_its_place_task_input_results_and_history(mesh):
    """The context is whole, and ends below the history index."""
    for n in range(6):
        role = session_pb2.MESSAGE_ROLE_USER if n % 2 == 0 else session_pb2.MESSAGE_ROLE_ASSISTANT
        text = [Content(text=f"said {n}")]
        message = session_pb2.SessionMessage(message_id=f"m{n}", role=role, content=text, run_id=f"old{n // 2}")
        await mesh.say("s1", message)
    await mesh.record("r1", session_id="s1", steps=["look"])
    request = mesh.request(
        "r1",
        AgentWork(agent="looks_around"),
        step_id="look",
        session_id="s1",
        history_index=5,
        input=[Content(text="the text"), Content(json='{"n": 1}')],
        results=[
            StepResult(step_id="one", output=[Content(text="first")]),
            StepResult(step_id="two", output=[Content(json="[1, 2]")]),
        ],
    )
    await mesh.execute(request)
    seen = sample_agents.scene.seen
    assert seen["task"] == 'the text\n{"n": 1}'
    assert (seen["request_id"], seen["tenant"]) == ("req-1", "acme")
    assert seen["place"] == ("r1", "look", 1, "s1")
    assert seen["input"] == ("the text", {"n": 1})
    assert seen["results"] == {"one": "first", "two": [1, 2]}
    # The executor of this test keeps four messages; the turn that this cuts in two is left out whole.
    assert seen["history"] == [("user", "said 2"), ("assistant", "said 3"), ("user", "said 4")]


async def test_the_history_begins_where_the_first_claim_found_it(mesh):
    """What lies before is not read, so that every attempt reads the same."""
    for n in range(6):
        text = [Content(text=f"said {n}")]
        role = session_pb2.MESSAGE_ROLE_USER
        await mesh.say("s1", session_pb2.SessionMessage(message_id=f"m{n}", role=role, content=text, run_id=f"old{n}"))
    await mesh.record("r1", session_id="s1")
    work = AgentWork(agent="looks_around", task="x")
    request = mesh.request("r1", work, session_id="s1", history_first_index=3, history_index=5)
    await mesh.execute(request)
    assert sample_agents.scene.seen["history"] == [("user", "said 3"), ("user", "said 4")]


async def test_a_step_without_a_session_has_no_history(mesh):
    """And one at index 0 has none either."""
    await mesh.run("r1", "looks_around", "x")
    assert sample_agents.scene.seen["history"] == []
    await mesh.say("s1", session_pb2.SessionMessage(message_id="m", role=session_pb2.MESSAGE_ROLE_USER))
    await mesh.run("r2", "looks_around", "x", session_id="s1", history_index=0)
    assert sample_agents.scene.seen["history"] == []


async def test_long_text_is_split_into_events_that_stay_small(mesh):
    """At most 64 KiB each, and together the whole."""
    answer = await mesh.run("r1", "long")
    tokens = [event.token.text for event in await mesh.events("r1") if event.WhichOneof("event") == "token"]
    assert "".join(tokens) == "é" * 100_000 == answer.output[0].text
    assert max(len(token.encode()) for token in tokens) <= 64 * 1024


async def test_an_agent_keeps_values_of_its_tenant(mesh):
    """Get, set, compare-and-set, list and delete, with JSON that keeps every digit."""
    answer = await mesh.run("r1", "keeps_state")
    assert answer.output == [Content(text="kept")]


async def test_a_tool_can_be_a_step_of_its_own(mesh):
    """Its events are those of any call, and its result is the step's output."""
    await mesh.record("r1")
    work = ToolWork(tool="put", arguments_json='{"value": 3}')
    answer = await mesh.execute(mesh.request("r1", work, finish_run=True))
    assert answer.output == [Content(json='"put 3"')]
    assert kinds(await mesh.events("r1"))[2:] == [
        "tool_call",
        "tool_claimed",
        "tool_result",
        "step_finished",
        "run_finished",
    ]


async def test_a_tool_step_fails_with_the_tools_own_error(mesh):
    """In words that were made for agents."""
    await mesh.record("r1")
    answer = await mesh.execute(mesh.request("r1", ToolWork(tool="breaks")))
    assert (answer.outcome, answer.error.message) == (executor.EXECUTE_OUTCOME_FAILED, "breaks: broken")
    answer = await mesh.execute_next("r1", 2, ToolWork(tool="no_such"))
    assert (answer.outcome, answer.error.code) == (
        executor.EXECUTE_OUTCOME_FAILED,
        grpc.StatusCode.NOT_FOUND.value[0],
    )


async def test_agents_are_described_by_the_first_paragraph_of_their_docstring(mesh):
    """By name, with the replica that answered."""
    described = await mesh.executor.DescribeAgents(executor.DescribeAgentsRequest(), metadata=METADATA)
    assert described.instance_id == "executor-1"
    assert [agent.name for agent in described.agents] == sorted(agent.name for agent in described.agents)
    descriptions = {agent.name: agent.description for agent in described.agents}
    assert descriptions["words"] == "Says its task, word by word."
    assert descriptions["everything"] == ""


async def test_an_unknown_agent_is_not_found_with_the_nearest_names(mesh):
    """Before anything is written."""
    await mesh.record("r1")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await mesh.execute(mesh.request("r1", AgentWork(agent="wrods")))
    error = from_rpc_error(caught.value)
    assert isinstance(error, NotFound)
    assert (error.reason, error.metadata["nearest"].split(",")[0]) == ("AGENT_NOT_FOUND", "words")
    assert len(await mesh.events("r1")) == 2


async def test_a_malformed_request_names_every_field(mesh):
    """Nothing is started."""
    request = executor.ExecuteRequest(run_id="a b", session_id="ü", tool=ToolWork(arguments_json="[1]"))
    request.timeout.FromSeconds(-1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await mesh.execute(request)
    error = from_rpc_error(caught.value)
    assert isinstance(error, InvalidArgument)
    assert {violation.field for violation in error.violations} == {
        "run_id", "step_id", "session_id", "epoch", "attempt", "timeout", "tool.tool", "tool.arguments_json",
    }  # fmt: skip


async def test_many_attempts_run_side_by_side(mesh):
    """Each has its own log, whole and in order."""
    text = " ".join(str(n) for n in range(50))
    async with asyncio.timeout(20):
        answers = await asyncio.gather(*(mesh.run(f"r{n}", "words", f"{n} {text}") for n in range(50)))
    for n, answer in enumerate(answers):
        assert answer.output[0].text == f"{n} {text} "
        log = await mesh.events(f"r{n}")
        assert "".join(event.token.text for event in log) == answer.output[0].text
        assert [event.sequence for event in log] == list(range(1, len(log) + 1))
        assert log[-1].step_finished.outcome == events.STEP_OUTCOME_SUCCEEDED
