"""What a run does is the same whether the layers share a process or not."""

import asyncio
import json

import pytest

from penstock.client import Client, Content, RunState, error_of, errors
from penstock.client.render import Transcript
from penstock.v1 import run_event_pb2 as events
from penstock.wire.context import RequestContext, use_context
from penstock.wire.status import reason_of
from tests.topologies.mesh import Mesh
from tests.topologies.waiting import too_late


def kinds(seen: list[events.RunEvent]) -> list[str]:
    """Names the kinds of events, one for each stretch of the same."""
    names = [event.WhichOneof("event") or "" for event in seen]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


async def collect(client: Client, task: str, **options: object) -> list[events.RunEvent]:
    """Streams a run to its end."""
    return [event async for event in client.stream_run(task, **options)]  # type: ignore[arg-type]  # options by name


async def newest_run(client: Client) -> str:
    """Returns the id of the run that was recorded last."""
    runs = client.list_runs()
    return (await anext(aiter(runs))).run_id


async def test_a_run_streams_every_kind_of_event_in_order_and_without_gaps(client: Client) -> None:
    """The events of an agent that uses everything come numbered from 1, in the order in which they were made."""
    seen = await collect(client, "go", agent="tells")
    assert kinds(seen) == [
        "run_started",
        "step_started",
        "token",
        "progress",
        "custom",
        "usage",
        "token",
        "tool_call",
        "tool_claimed",
        "tool_result",
        "token",
        "step_finished",
        "run_finished",
    ]
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    assert all(event.HasField("time") for event in seen)
    assert [event.time.ToNanoseconds() for event in seen] == sorted(event.time.ToNanoseconds() for event in seen)
    custom = next(event.custom for event in seen if event.HasField("custom"))
    assert json.loads(custom.payload_json) == {"good": True, "number": 2**63}


async def test_execute_returns_the_output_and_the_usage(client: Client) -> None:
    """A run that was waited for has the joined tokens as its output, and the sum of its usage."""
    run = await client.execute_run("go", agent="tells")
    assert run.state == RunState.RUN_STATE_SUCCEEDED
    assert [content.text for content in run.output] == ["sum: 42"]
    assert (run.usage.input_tokens, run.usage.output_tokens) == (3, 2)


@pytest.mark.parametrize("agent", ["echo", "tells", "fails", "exits"])
async def test_execute_returns_the_run_as_it_is_kept(client: Client, agent: str) -> None:
    """Whether it was waited for, or had ended before the call came: field for field what get_run returns."""
    options = {"agent": agent, "session": f"kept-{agent}", "labels": {"colour": "green"}}
    waited_for = await client.execute_run("go", idempotency_key=f"kept-{agent}", **options)  # type: ignore[arg-type]  # options by name
    assert waited_for == await client.get_run(waited_for.run_id)
    asked_again = await client.execute_run("go", idempotency_key=f"kept-{agent}", **options)  # type: ignore[arg-type]  # options by name
    assert asked_again == waited_for


async def test_the_layers_are_in_the_processes_that_the_topology_says(mesh: Mesh, client: Client) -> None:
    """Split, all process ids differ and the agent and the tool ran in their own layers'; together there is one."""
    run = await client.execute_run("go", agent="pids")
    for layer, seen in json.loads(run.output[0].json).items():
        assert seen in {daemon.pid for daemon in mesh.hosts_of(layer)}
    expected = {"one process": 1, "process per layer": 5, "two of each": 10}[mesh.topology]
    assert len({daemon.pid for daemon in mesh.daemons.values()}) == expected


async def test_each_step_sees_the_results_before_it(client: Client) -> None:
    """A list of steps runs in order; later ones get earlier results by reference and by the context."""
    plan = {
        "sequential": True,
        "steps": [
            {"step_id": "sum", "tool": {"tool": "add", "arguments": {"a": 1, "b": 2}}},
            {"step_id": "say", "agent": {"agent": "echo", "task": "it is ${steps.sum.output}, asked by ${input}"}},
            {"step_id": "all", "agent": {"agent": "reads_results"}},
        ],
    }
    run = await client.execute_run("me", plan=plan)
    assert run.state == RunState.RUN_STATE_SUCCEEDED, run.error
    assert run.output[0].text == "sum=3;say=it is 3, asked by me "


async def test_a_session_is_remembered_from_run_to_run(client: Client, mesh: Mesh) -> None:
    """The second run of a session sees the first one's question and answer."""
    session = f"memory-{mesh.topology.replace(' ', '-')}"
    first = await client.execute_run("one", agent="remembers", session=session)
    second = await client.execute_run("two", agent="remembers", session=session)
    assert first.output[0].text == "0 before, last: nothing"
    assert second.output[0].text == "2 before, last: 0 before, last: nothing"
    messages = [message async for message in client.list_messages(session)]
    assert [message.content[0].text for message in messages] == [
        "one",
        "0 before, last: nothing",
        "two",
        "2 before, last: 0 before, last: nothing",
    ]


async def test_a_second_run_on_a_busy_session_waits_its_turn(client: Client, mesh: Mesh) -> None:
    """An enqueued run has no events until the session's run has ended, and then reads its messages."""
    session = f"queue-{mesh.topology.replace(' ', '-')}"
    first = await client.create_run("forever", agent="endless", session=session)
    second = await client.create_run("next", agent="remembers", session=session)
    assert second.state == RunState.RUN_STATE_QUEUED
    assert (await client.get_run(second.run_id)).last_sequence == 0
    await client.cancel_run(first.run_id)
    seen = [event async for event in client.attach_run(second.run_id)]
    assert seen[-1].run_finished.state == RunState.RUN_STATE_SUCCEEDED
    output = (await client.get_run(second.run_id)).output[0].text
    assert output == "2 before, last: the run was cancelled"


async def test_a_busy_session_rejects_when_asked_to(client: Client, mesh: Mesh) -> None:
    """With REJECT the second run is refused by name of the first, and nothing is recorded of it."""
    session = f"reject-{mesh.topology.replace(' ', '-')}"
    first = await client.create_run("forever", agent="endless", session=session)
    with pytest.raises(errors.FailedPrecondition) as refused:
        await client.create_run("next", agent="echo", session=session, on_busy="reject")
    assert refused.value.reason == "SESSION_BUSY"
    assert refused.value.metadata["busy_run_id"] == first.run_id
    assert [run.run_id async for run in client.list_runs(session=session)] == [first.run_id]
    await client.cancel_run(first.run_id)


async def test_interrupt_cancels_what_goes_on_and_runs_next(client: Client, mesh: Mesh) -> None:
    """With INTERRUPT the running and the queued run end CANCELLED, and the new one runs."""
    session = f"interrupt-{mesh.topology.replace(' ', '-')}"
    first = await client.create_run("forever", agent="endless", session=session)
    queued = await client.create_run("never", agent="echo", session=session)
    last = await client.execute_run("now", agent="echo", session=session, on_busy="interrupt")
    assert last.state == RunState.RUN_STATE_SUCCEEDED
    assert (await client.get_run(first.run_id)).state == RunState.RUN_STATE_CANCELLED
    ended = [event async for event in client.attach_run(queued.run_id)]
    assert [event.WhichOneof("event") for event in ended] == ["run_finished"]


async def test_cancel_ends_a_run_with_one_terminal_event(client: Client) -> None:
    """A cancelled run stops producing, closes its step and ends CANCELLED with the reason given."""
    stream = client.stream_run("forever", agent="endless")
    seen: list[events.RunEvent] = []
    async for event in stream:
        seen.append(event)
        if len(seen) == 5:
            await client.cancel_run(stream.run_id, "enough")
    assert kinds(seen)[-3:] == ["signal", "step_finished", "run_finished"]
    assert seen[-1].run_finished.state == RunState.RUN_STATE_CANCELLED
    assert "enough" in seen[-1].run_finished.error.message
    assert sum(event.HasField("run_finished") for event in seen) == 1
    run = await client.cancel_run(stream.run_id)
    assert run.state == RunState.RUN_STATE_CANCELLED


async def test_a_failing_agent_is_an_answer_and_not_an_error(client: Client, mesh: Mesh) -> None:
    """The run FAILED with a fixed text and the request id; the exception's text is in the log only."""
    run = await client.execute_run("go", agent="fails")
    assert run.state == RunState.RUN_STATE_FAILED
    error = error_of(run)
    assert error is not None
    assert error.reason == "AGENT_FAILED"
    assert error.metadata["request_id"] in run.error.message
    assert "secret-4711" not in str(run)
    assert any("secret-4711" in daemon.log.read_text() for daemon in mesh.hosts_of("executor"))


async def test_an_agent_that_exits_ends_its_run_only(client: Client) -> None:
    """SystemExit in an agent fails the run, and the server goes on."""
    run = await client.execute_run("go", agent="exits")
    assert run.state == RunState.RUN_STATE_FAILED
    assert (await client.execute_run("still there", agent="echo")).state == RunState.RUN_STATE_SUCCEEDED


async def test_a_failed_step_is_retried_as_its_policy_says(client: Client) -> None:
    """The second attempt follows a rewind, and a reader who follows it shows the second attempt only."""
    plan = {
        "steps": [
            {
                "step_id": "try",
                "agent": {"agent": "unlucky"},
                "retry": {"max_attempts": 2, "initial_backoff": "0.01s"},
            }
        ]
    }
    seen = await collect(client, "go", plan=plan)
    assert kinds(seen) == [
        "run_started",
        "step_started",
        "token",
        "step_finished",
        "rewind",
        "step_started",
        "token",
        "step_finished",
        "run_finished",
    ]
    transcript = Transcript()
    for event in seen:
        transcript.consume(event)
    assert transcript.text == "attempt 2"


async def test_a_tool_that_nobody_has_is_told_to_the_agent(client: Client) -> None:
    """The call is recorded as not made, with the nearest name, and the agent's failure ends the run."""
    seen = await collect(client, "go", agent="asks_wrongly")
    result = next(event.tool_result for event in seen if event.HasField("tool_result"))
    assert result.outcome == events.TOOL_OUTCOME_NOT_CALLED
    assert "'add'" in result.error.message
    assert seen[-1].run_finished.state == RunState.RUN_STATE_FAILED


async def test_a_tools_error_is_an_outcome_without_its_text(client: Client) -> None:
    """A plan step whose tool raises fails the run; the exception's text stays in the log."""
    plan = {"steps": [{"step_id": "t", "tool": {"tool": "breaks", "arguments": {"text": "x"}}}]}
    run = await client.execute_run("go", plan=plan)
    assert run.state == RunState.RUN_STATE_FAILED
    assert "secret-4711" not in str(run)


async def test_agents_keep_values_of_their_tenant(client: Client) -> None:
    """What one run stores, the next one reads."""
    first = await client.execute_run("go", agent="keeps")
    second = await client.execute_run("go", agent="keeps")
    assert int(second.output[0].text) == int(first.output[0].text) + 1


async def test_the_same_key_gives_the_same_run(client: Client, mesh: Mesh) -> None:
    """Create, stream and execute with one key and body are one run; another body is ALREADY_EXISTS."""
    key = f"key-{mesh.topology.replace(' ', '-')}"
    first = await client.create_run("same", agent="echo", idempotency_key=key)
    waited = await client.execute_run("same", agent="echo", idempotency_key=key, timeout=60)
    streamed = client.stream_run("same", agent="echo", idempotency_key=key)
    assert [event.sequence async for event in streamed][:2] == [1, 2]
    assert first.run_id == waited.run_id == streamed.run_id
    with pytest.raises(errors.AlreadyExists) as taken:
        await client.create_run("other", agent="echo", idempotency_key=key)
    assert taken.value.metadata["run_id"] == first.run_id


async def test_a_runs_deadline_ends_it(client: Client) -> None:
    """A run that is still going at its deadline ends FAILED, and says so."""
    run = await client.execute_run("forever", agent="endless", timeout=0.3)
    assert run.state == RunState.RUN_STATE_FAILED
    assert reason_of(run.error) == "RUN_DEADLINE"


async def test_a_steps_timeout_ends_the_step(client: Client) -> None:
    """A step that takes longer than it may fails with DEADLINE_EXCEEDED."""
    plan = {"steps": [{"step_id": "s", "agent": {"agent": "endless"}, "timeout": "0.2s"}]}
    run = await client.execute_run("go", plan=plan)
    assert reason_of(run.error) == "STEP_TIMEOUT"


async def test_the_deadline_of_a_call_bounds_only_the_waiting(client: Client) -> None:
    """ExecuteRun that times out names the run, which goes on."""
    run_id = await too_late(client, "forever", agent="endless", wait=0.5)
    assert (await client.get_run(run_id)).state == RunState.RUN_STATE_RUNNING
    await client.cancel_run(run_id)


async def test_a_dropped_reader_does_not_cancel_its_run(client: Client) -> None:
    """A stream that is left after a few events goes on without its reader."""
    stream = client.stream_run("60", agent="paced")
    async for event in stream:
        if event.HasField("token"):
            break
    await stream.aclose()
    last = [event async for event in client.attach_run(stream.run_id)][-1]
    assert last.run_finished.state == RunState.RUN_STATE_SUCCEEDED


async def test_a_reader_attaches_after_any_number_and_misses_and_repeats_nothing(client: Client) -> None:
    """From every number of a finished run, and live from the middle, the rest comes exactly once."""
    whole = await collect(client, "20", agent="paced")
    run_id = await newest_run(client)
    for after in range(len(whole) + 1):
        rest = [event async for event in client.attach_run(run_id, after)]
        assert rest == whole[after:]
    stream = client.stream_run("40", agent="paced")
    seen: list[events.RunEvent] = []
    async for event in stream:
        seen.append(event)
        if len(seen) == 10:
            break
    await stream.aclose()
    seen += [event async for event in client.attach_run(stream.run_id, seen[-1].sequence, stream.cursor.generation)]
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    text = "".join(event.token.text for event in seen)
    assert text == "".join(f"{number} " for number in range(40))


async def test_two_viewers_see_the_same(client: Client) -> None:
    """Any number of readers of one run get the same events."""
    run = await client.create_run("30", agent="paced")

    async def view() -> list[events.RunEvent]:
        return [event async for event in client.attach_run(run.run_id)]

    first, second = await asyncio.gather(view(), view())
    assert first == second


async def test_input_may_be_json_and_several_parts(client: Client) -> None:
    """Every part of an input reaches the run, and the listing leaves inputs out."""
    parts = [Content(text="hello"), Content(json='{"n": 12345678901234567890}')]
    run = await client.execute_run(parts, agent="echo")
    assert list(run.input) == parts
    listed = {one.run_id: one async for one in client.list_runs()}[run.run_id]
    assert not listed.input
    assert not listed.output


async def test_a_run_names_the_trace_of_the_request_that_asked_for_it(client: Client) -> None:
    """Made within a request, a run has that request's trace id, wherever it is read."""
    request = RequestContext(request_id="asks-for-a-run")
    with use_context(request):
        created = await client.create_run("go", agent="tells")
    listed = await anext(aiter(client.list_runs()))
    async with client.attach_run(created.run_id) as stream:
        attached = stream.run
    read = await client.get_run(created.run_id)
    assert [run.trace_id for run in (created, listed, attached, read)] == [request.trace_id] * 4
