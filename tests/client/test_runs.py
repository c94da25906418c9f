"""Runs through the client, against a real mesh."""

import asyncio
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from penstock.client import Client, RunState, Transcript, errors
from penstock.wire.ids import random_id
from penstock.wire.status import from_status

STATES = RunState


async def test_an_entered_stream_knows_its_run_before_the_first_event(client: Client) -> None:
    """So a caller has the id to attach again with, whatever happens next."""
    async with client.stream_run("3", agent="count", labels={"a": "b"}) as stream:
        assert stream.run_id == stream.run.run_id != ""
        assert stream.cursor.after_sequence == 0
        assert dict((await client.get_run(stream.run_id)).labels) == {"a": "b"}


async def test_a_streams_events_are_gapless_and_tell_what_the_run_says_at_its_end(client: Client) -> None:
    """Numbers from 1 on, run_finished last, and the transcript is the output."""
    transcript = Transcript()
    stream = client.stream_run("20", agent="count")
    events = [event async for event in stream]
    transcript.consume_all(events)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].run_finished.state == STATES.RUN_STATE_SUCCEEDED
    run = await client.get_run(stream.run_id)
    assert transcript.text == run.output[0].text == "".join(f"{n} " for n in range(1, 21))
    assert run.last_sequence == stream.cursor.after_sequence == len(events)


async def test_attaching_after_any_event_misses_nothing_and_repeats_nothing(client: Client) -> None:
    """Each cursor of a finished run, its end included."""
    stream = client.stream_run("6", agent="count")
    events = [event async for event in stream]
    for after in range(len(events) + 1):
        async with client.attach_run(stream.run_id, after, stream.cursor.generation) as again:
            assert again.run.state == STATES.RUN_STATE_SUCCEEDED
            assert [event async for event in again] == events[after:]


async def test_a_reader_who_goes_away_can_take_up_a_run_that_still_goes(client: Client) -> None:
    """The run lives on, and two readings together are the whole log."""
    async with client.stream_run("x", agent="stuck") as stream:
        before = []
        async for event in stream:
            before.append(event)
            if event.HasField("token"):
                break
    assert (await client.get_run(stream.run_id)).state == STATES.RUN_STATE_RUNNING
    async with asyncio.timeout(20), client.attach_run(stream.run_id, stream.cursor.after_sequence) as again:
        assert (await client.cancel_run(stream.run_id, "enough")).run_id == stream.run_id
        after = [event async for event in again]
    assert all(first.sequence + 1 == second.sequence for first, second in pairwise([*before, *after]))
    assert after[-1].run_finished.state == STATES.RUN_STATE_CANCELLED


async def test_a_run_that_fails_is_a_run_and_no_error(client: Client) -> None:
    """The status speaks of the call; the run tells a fixed text and the request whose log has the cause."""
    run = await client.execute_run("x", agent="broken")
    assert run.state == STATES.RUN_STATE_FAILED
    assert "secret" not in str(run)
    assert from_status(run.error).metadata["request_id"].startswith("req-")


async def test_waiting_for_a_run_ends_in_time_and_the_same_key_finds_it_again(client: Client) -> None:
    """The run goes on; the error says with which key the same call waits on."""
    with pytest.raises(errors.DeadlineExceeded) as late:
        await client.execute_run("x", agent="stuck", wait=0.3)
    run = await client.create_run("x", agent="stuck", idempotency_key=late.value.metadata["idempotency_key"])
    assert run.state == STATES.RUN_STATE_RUNNING
    await client.cancel_run(run.run_id)
    ended = await client.execute_run("x", agent="stuck", idempotency_key=late.value.metadata["idempotency_key"])
    assert (ended.run_id, ended.state) == (run.run_id, STATES.RUN_STATE_CANCELLED)


async def test_the_same_key_is_the_same_run_and_another_body_is_refused(client: Client) -> None:
    """Whichever way of starting it is used."""
    key = random_id("key")
    first = await client.create_run("2", agent="count", idempotency_key=key)
    assert (await client.execute_run("2", agent="count", idempotency_key=key)).run_id == first.run_id
    async with client.stream_run("2", agent="count", idempotency_key=key) as stream:
        assert stream.run_id == first.run_id
    with pytest.raises(errors.AlreadyExists):
        await client.create_run("3", agent="count", idempotency_key=key)


async def test_a_plan_given_as_a_mapping_runs_its_steps_in_order(client: Client) -> None:
    """Each step sees the results before it."""
    plan = {
        "sequential": True,
        "steps": [
            {"step_id": "measure", "tool": {"tool": "measure", "arguments": {"text": "${input}"}}},
            {"step_id": "count", "agent": {"agent": "count", "task": "${steps.measure.output}"}},
        ],
    }
    run = await client.execute_run("four", plan=plan)
    assert run.state == STATES.RUN_STATE_SUCCEEDED, run.error
    assert run.output[0].text == "1 2 3 4 "


async def test_lists_come_whole_however_small_their_pages_are(client: Client) -> None:
    """Newest first, with every condition kept on every page."""
    session = random_id("s")
    made = [
        (await client.execute_run("1", agent="count", session=session, labels={"n": str(n)})).run_id for n in range(5)
    ]
    assert [run.run_id async for run in client.list_runs(session=session, page_size=2)] == made[::-1]
    assert [run.run_id async for run in client.list_runs(session=session, labels={"n": "3"})] == [made[3]]
    failed = client.list_runs(session=session, states=[STATES.RUN_STATE_FAILED])
    assert [run async for run in failed] == []
    messages = [message async for message in client.list_messages(session, page_size=3)]
    assert [message.content[0].text for message in messages] == ["1", "1 "] * 5
    newest = [message async for message in client.list_messages(session, newest_first=True)]
    assert newest == messages[::-1]


async def test_a_session_lives_until_it_is_deleted(client: Client) -> None:
    """And deleting what is not there says so."""
    session = random_id("s")
    await client.execute_run("1", agent="count", session=session)
    assert (await client.get_session(session)).next_index == 2
    assert await client.delete_session(session) is True
    assert await client.delete_session(session) is False
    with pytest.raises(errors.NotFound):
        await client.get_session(session)


async def test_the_mesh_tells_what_it_has_and_how_it_is(client: Client) -> None:
    """Agents, tools, workflows and layers."""
    assert [agent.name for agent in await client.list_agents()] == ["broken", "count", "rich", "structured", "stuck"]
    assert [tool.name for tool in await client.list_tools()] == ["measure"]
    assert await client.list_workflows() == []
    status = await client.get_status()
    assert [layer.layer for layer in status.layers] == ["gateway", "orchestrator", "executor", "tools", "state"]
    assert all(layer.serving for layer in status.layers)


async def test_a_time_without_a_zone_is_refused_and_one_with_any_zone_is_that_time(client: Client) -> None:
    """A local time that is taken for UTC would be hours off."""
    run = await client.create_run("1", agent="count", labels={"who": "zoned"})
    now = datetime.now(timezone(timedelta(hours=-5)))
    minute = timedelta(minutes=1)
    listed = client.list_runs(labels={"who": "zoned"}, created_after=now - minute, created_before=now + minute)
    assert [one.run_id async for one in listed] == [run.run_id]
    for name in ("created_after", "created_before"):
        with pytest.raises(errors.InvalidArgument, match=f"{name}: has no time zone"):
            client.list_runs(**{name: now.replace(tzinfo=None)})  # type: ignore[arg-type]  # either of two
