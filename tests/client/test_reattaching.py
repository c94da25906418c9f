"""Streams that are lost and go on: what a reader gets is as if nothing had happened."""

import asyncio
from itertools import pairwise

import grpc
import pytest

from penstock.client import Client, Cursor, Reconnecting, RunEvent, RunStream, Transcript, errors
from penstock.v1.gateway_pb2 import StreamRunResponse
from penstock.v1.run_event_pb2 import Rewind, RunFinished, StepStarted, Token
from penstock.v1.run_pb2 import Run, RunState
from penstock.wire.context import RequestContext, from_metadata, use_context
from penstock.wire.errors import PenstockError
from tests.client.scripted import Scripted, playing

BEGIN = StreamRunResponse(run=Run(run_id="run-1", state=RunState.RUN_STATE_RUNNING, generation=4), generation=4)
ENDED = StreamRunResponse(
    run=Run(run_id="run-1", state=RunState.RUN_STATE_SUCCEEDED, generation=4, last_sequence=4), generation=4
)


def piece(*events: RunEvent, generation: int = 4) -> StreamRunResponse:
    """A message with events."""
    return StreamRunResponse(events=events, generation=generation)


def tokens(*sequences: int, attempt: int = 1) -> StreamRunResponse:
    """A message with tokens that say their numbers."""
    said = [RunEvent(sequence=n, step_id="main", attempt=attempt, token=Token(text=f"{n} ")) for n in sequences]
    return piece(*said)


def end(sequence: int) -> StreamRunResponse:
    """A message with the run's end."""
    return piece(RunEvent(sequence=sequence, run_finished=RunFinished(state=RunState.RUN_STATE_SUCCEEDED)))


RESETS = [
    None,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    errors.Unavailable("a layer is away", reason="STATE_AWAY", retry_after=0.0),
    errors.Draining("leaving", retry_after=0.0),
]


@pytest.mark.parametrize("ending", RESETS, ids=str)
async def test_a_stream_goes_on_from_its_cursor_however_it_was_lost(
    ending: grpc.StatusCode | PenstockError | None,
) -> None:
    """At the next door; nothing is missed, and nothing comes twice."""
    first = Scripted([BEGIN, tokens(1, 2)], abort=ending)
    second = Scripted([BEGIN, tokens(3), end(4)])
    async with playing(first) as one, playing(second) as other, Client([one.address, other.address]) as client:
        assert [event.sequence async for event in client.stream_run("x")] == [1, 2, 3, 4]
    (attached,) = second.asked
    assert (attached.run_id, attached.generation, attached.after_sequence) == ("run-1", 4, 2)


async def test_each_attachment_is_a_call_of_its_own_in_one_trace() -> None:
    """So that both ends' logs tell them apart, and a trace shows that they belong together."""
    script = Scripted([BEGIN, tokens(1)], then=Scripted([BEGIN, tokens(2), end(3)]))
    around = RequestContext("req-outer")
    async with playing(script) as stage, Client(stage.address) as client:
        with use_context(around):
            stream = client.stream_run("x")
            assert [event.sequence async for event in stream] == [1, 2, 3]
    first, second = (from_metadata(asked.items()) for asked in script.metadata)
    assert first.trace_id == second.trace_id == around.trace_id
    assert first.request_id != second.request_id == stream.request_id


async def test_a_first_call_that_was_lost_before_its_answer_is_repeated_with_its_key() -> None:
    """Whether the run was recorded nobody knows; the key makes it one."""
    first = Scripted(stays_open=True)
    second = Scripted([BEGIN, tokens(1), end(2)])
    told: list[Reconnecting] = []
    async with asyncio.timeout(20), playing(first) as one, playing(second) as other:
        async with Client([one.address, other.address]) as client, asyncio.TaskGroup() as group:
            stream = client.stream_run("x", on_reconnect=told.append)
            reading = group.create_task(_all_of(stream))
            await first.came.wait()
            await one.server.stop(0)
        assert [event.sequence for event in reading.result()] == [1, 2]
    assert first.asked == second.asked
    assert first.asked[0].spec.idempotency_key
    assert [(one.attempt, one.cursor, one.address) for one in told] == [(1, Cursor(), other.address)]


async def test_a_rewind_over_an_attachment_leaves_one_attempt_in_the_transcript() -> None:
    """The attempt and the gateway may be lost at once."""
    first = Scripted([BEGIN, tokens(1, 2, 3)])
    rewind = RunEvent(sequence=4, step_id="main", attempt=1, rewind=Rewind(from_sequence=1))
    again = RunEvent(sequence=5, step_id="main", attempt=2, step_started=StepStarted(agent="a"))
    second = Scripted([BEGIN, piece(rewind, again), tokens(6, 7, attempt=2), end(8)])
    async with playing(first) as one, playing(second) as other, Client([one.address, other.address]) as client:
        events = [event async for event in client.stream_run("x")]
    assert [event.sequence for event in events] == list(range(1, 9))
    assert Transcript().consume_all(events).text == "6 7 "


async def test_a_run_that_ended_while_the_reader_was_away_is_read_to_its_end() -> None:
    """Attaching to it answers with the run as it stands then, which is not the run as it began."""
    script = Scripted([BEGIN, tokens(1, 2)], then=Scripted([ENDED, tokens(3), end(4)]))
    async with playing(script) as stage, Client(stage.address) as client:
        stream = client.stream_run("x")
        assert [event.sequence async for event in stream] == [1, 2, 3, 4]
    assert stream.run.state == RunState.RUN_STATE_RUNNING


async def test_an_attachment_after_the_last_event_that_is_lost_at_once_still_ends() -> None:
    """There is nothing more to come, and the second answer says so."""
    script = Scripted(abort=grpc.StatusCode.UNAVAILABLE, then=Scripted([ENDED]))
    async with playing(script) as stage, Client(stage.address) as client:
        assert [event async for event in client.attach_run("run-1", 4, 4)] == []


@pytest.mark.parametrize("told_by_server", [True, False])
async def test_another_history_is_an_error_and_never_shown(told_by_server: bool) -> None:
    """Under the numbers that were seen there may be other events now."""
    lost = errors.DataLoss("lost", run_id="run-1", last_common_sequence=1, generation=5)
    other = StreamRunResponse(run=Run(run_id="run-1", generation=5), generation=5)
    then = Scripted(abort=lost) if told_by_server else Scripted([other, tokens(3)])
    script = Scripted([BEGIN, tokens(1, 2)], then=then)
    async with playing(script) as stage, Client(stage.address) as client:
        stream = client.stream_run("x")
        assert [(await anext(stream)).sequence for _ in range(2)] == [1, 2]
        with pytest.raises(errors.DataLoss) as raised:
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    assert (raised.value.generation, raised.value.metadata["run_id"]) == (5, "run-1")
    assert raised.value.last_common_sequence == (1 if told_by_server else 0)


async def test_a_newer_history_that_has_all_that_was_seen_is_read_on() -> None:
    """Nothing that the reader knows was lost, so there is nothing to tell."""
    kept = errors.DataLoss("lost", run_id="run-1", last_common_sequence=2, generation=5)
    newer = StreamRunResponse(run=Run(run_id="run-1", generation=5), generation=5)
    rest = [piece(*tokens(3).events, generation=5), piece(*end(4).events, generation=5)]
    script = Scripted([BEGIN, tokens(1, 2)], then=Scripted(abort=kept, then=Scripted([newer, *rest])))
    async with playing(script) as stage, Client(stage.address) as client:
        stream = client.stream_run("x")
        assert [event.sequence async for event in stream] == [1, 2, 3, 4]
        assert stream.cursor == Cursor(5, 4)
    assert [(asked.generation, asked.after_sequence) for asked in script.asked[1:]] == [(4, 2), (5, 2)]


@pytest.mark.parametrize("refusal", [errors.NotFound("gone"), errors.OverLimit("full", subject="me", retry_after=1.0)])
async def test_what_another_try_does_not_mend_ends_the_stream(refusal: PenstockError) -> None:
    """At once, and as what it is."""
    script = Scripted([BEGIN, tokens(1)], then=Scripted(abort=refusal))
    async with playing(script) as stage, Client(stage.address) as client:
        with pytest.raises(type(refusal), match=refusal.message):
            await _all_of(client.stream_run("x"))
    assert len(script.asked) == 2


async def test_a_door_that_says_when_to_come_again_is_not_asked_before() -> None:
    """But another one is, at once."""
    busy = errors.Unavailable("starting", retry_after=0.3)
    script = Scripted([BEGIN, tokens(1)], abort=busy, then=Scripted([BEGIN, tokens(2), end(3)]))
    told: list[Reconnecting] = []
    async with playing(script) as stage, Client(stage.address) as client:
        await _all_of(client.stream_run("x", on_reconnect=told.append))
    first, second = Scripted([BEGIN, tokens(1)], abort=busy), Scripted([BEGIN, end(2)])
    async with playing(first) as one, playing(second) as other, Client([one.address, other.address]) as client:
        await _all_of(client.stream_run("x", on_reconnect=told.append))
    alone, with_another = told
    assert 0.29 < alone.pause <= 0.4
    assert with_another.pause <= 0.1


async def test_a_gateway_that_always_breaks_right_after_it_answered_is_no_progress() -> None:
    """The pauses grow, and patience comes to its end."""
    script = Scripted([BEGIN])
    told: list[Reconnecting] = []
    async with asyncio.timeout(20), playing(script) as stage, Client(stage.address, patience=0.7) as client:
        with pytest.raises(errors.Unavailable, match=stage.address):
            await _all_of(client.stream_run("x", on_reconnect=told.append))
    assert [one.attempt for one in told] == list(range(1, len(told) + 1))
    assert len(script.asked) < 20


async def test_events_are_progress_and_give_patience_anew() -> None:
    """However often the connection breaks, as long as each brings something."""
    script = end_of_script = Scripted([BEGIN, tokens(1)])
    for number in range(2, 8):
        end_of_script.then = end_of_script = Scripted([BEGIN, tokens(number)])
    end_of_script.then = Scripted([BEGIN, end(8)])
    told: list[Reconnecting] = []
    async with playing(script) as stage, Client(stage.address) as client:
        events = await _all_of(client.stream_run("x", on_reconnect=told.append))
    assert all(before.sequence + 1 == after.sequence for before, after in pairwise(events))
    assert [one.attempt for one in told] == [1] * 7


async def test_without_patience_a_stream_never_attaches_by_itself() -> None:
    """Whoever wants to do it all alone can."""
    script = Scripted([BEGIN, tokens(1)], abort=grpc.StatusCode.UNAVAILABLE)
    async with playing(script) as stage, Client(stage.address, patience=0) as client:
        with pytest.raises(errors.Unavailable):
            await _all_of(client.stream_run("x"))
    assert len(script.asked) == 1


@pytest.mark.parametrize("by", ["reader", "stream", "client"])
async def test_a_pause_ends_at_once_when_its_stream_does(by: str) -> None:
    """By its reader's cancellation, by `aclose`, or with its client."""
    away = errors.Unavailable("starting", retry_after=30.0)
    paused = asyncio.Event()
    script = Scripted([BEGIN, tokens(1)], abort=away)
    async with asyncio.timeout(20), playing(script) as stage, Client(stage.address) as client:
        stream = client.stream_run("x", on_reconnect=lambda _: paused.set())
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_failure_of(stream))
            await paused.wait()
            match by:
                case "reader":
                    reading.cancel()
                case "stream":
                    await stream.aclose()
                case "client":
                    await client.aclose()
    if by == "reader":
        assert reading.cancelled()
        with pytest.raises(errors.Cancelled, match="ended before its run"):
            await anext(stream)
    else:
        assert reading.result().reason == "STREAM_ENDED"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_callback_that_raises_ends_the_stream() -> None:
    """It is how a caller gives up by a rule of its own."""

    def enough(lost: Reconnecting) -> None:
        raise RuntimeError("enough")

    async with playing(Scripted([BEGIN, tokens(1)])) as stage, Client(stage.address) as client:
        stream = client.stream_run("x", on_reconnect=enough)
        await anext(stream)
        with pytest.raises(RuntimeError, match="enough"):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def _all_of(stream: RunStream) -> list[RunEvent]:
    return [event async for event in stream]


async def _failure_of(stream: RunStream) -> PenstockError:
    with pytest.raises(PenstockError) as failed:
        await _all_of(stream)
    return failed.value
