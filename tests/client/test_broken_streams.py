"""Streams that break: a reader never takes the break for the end, and never sees events out of order."""

import asyncio
import gc

import grpc
import pytest

from penstock.client import Client, RunEvent, RunStream, errors
from penstock.client.asking import UNREACHABLE
from penstock.v1.gateway_pb2 import StreamRunResponse
from penstock.v1.run_event_pb2 import RunFinished, Token
from penstock.v1.run_pb2 import Run, RunState
from tests.client.scripted import Scripted, playing

BEGIN = StreamRunResponse(run=Run(run_id="run-1", state=RunState.RUN_STATE_RUNNING, generation=4), generation=4)
SILENCE = StreamRunResponse(generation=4)


def piece(*sequences: int) -> StreamRunResponse:
    """A message with tokens."""
    events = [RunEvent(sequence=n, step_id="main", attempt=1, token=Token(text=str(n))) for n in sequences]
    return StreamRunResponse(events=events, generation=4)


END = StreamRunResponse(
    events=[RunEvent(sequence=3, run_finished=RunFinished(state=RunState.RUN_STATE_SUCCEEDED))], generation=4
)


async def test_a_stream_that_just_ends_before_its_run_is_an_error_with_the_run_to_attach_to() -> None:
    """A transcript that was cut off must not look whole."""
    async with playing(Scripted([BEGIN, piece(1, 2)])) as stage, Client(stage.address, patience=0) as client:
        stream = client.stream_run("x")
        with pytest.raises(errors.Unavailable) as broken:
            [event async for event in stream]
    assert (broken.value.reason, broken.value.metadata["run_id"]) == ("STREAM_BROKEN", "run-1")
    assert (stream.cursor.generation, stream.cursor.after_sequence) == (4, 2)


@pytest.mark.parametrize("wrong", [piece(4), piece(2), piece(1)])
async def test_events_out_of_order_are_an_error_and_never_shown(wrong: StreamRunResponse) -> None:
    """Gapless and without repeats is the promise that all else stands on."""
    async with (
        playing(Scripted([BEGIN, piece(1, 2), wrong, END])) as stage,
        Client(stage.address, patience=0) as client,
    ):
        stream = client.stream_run("x")
        assert [(await anext(stream)).sequence for _ in range(2)] == [1, 2]
        with pytest.raises(errors.Internal, match="where 3 was due"):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_connection_that_breaks_says_so_and_names_the_run() -> None:
    """It is told from a mesh that was never there."""
    script = Scripted([BEGIN, piece(1)], stays_open=True)
    async with playing(script) as stage, Client(stage.address, patience=0) as client, client.stream_run("x") as stream:
        assert (await anext(stream)).sequence == 1
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.server.stop(0))
            with pytest.raises(errors.PenstockError) as broken:
                await anext(stream)
    assert broken.value.metadata["run_id"] == "run-1"
    assert isinstance(broken.value, errors.Unavailable | errors.Cancelled), broken.value


async def test_a_refusal_without_details_still_becomes_one_of_our_errors() -> None:
    """A proxy between client and gateway speaks plain gRPC."""
    script = Scripted([], abort=grpc.StatusCode.RESOURCE_EXHAUSTED)
    async with playing(script) as stage, Client(stage.address, patience=0) as client:
        with pytest.raises(errors.ResourceExhausted, match="as told") as refused:
            await anext(client.stream_run("x"))
    assert refused.value.metadata["request_id"].startswith("req-")


async def test_unavailable_from_a_proxy_names_the_address() -> None:
    """Nothing of ours answered."""
    script = Scripted([], abort=grpc.StatusCode.UNAVAILABLE)
    async with playing(script) as stage, Client(stage.address, patience=0) as client:
        with pytest.raises(errors.Unavailable, match=stage.address) as refused:
            await anext(client.stream_run("x"))
    assert refused.value.reason == UNREACHABLE


async def test_an_error_after_the_end_does_not_matter() -> None:
    """The run's last event was seen; there is nothing left to miss."""
    script = Scripted([BEGIN, SILENCE, piece(1, 2), SILENCE, END], abort=grpc.StatusCode.UNAVAILABLE)
    async with playing(script) as stage, Client(stage.address, patience=0) as client:
        assert [event.sequence async for event in client.stream_run("x")] == [1, 2, 3]


async def test_a_stream_whose_wait_was_given_up_says_so_when_it_is_read_on() -> None:
    """Instead of a CancelledError, with which a task that nobody cancelled would end without a word."""
    script = Scripted([BEGIN, piece(1)], stays_open=True)
    async with playing(script) as stage, Client(stage.address, patience=0) as client, client.stream_run("x") as stream:
        await anext(stream)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(stream)
        with pytest.raises(errors.Cancelled) as ended:
            await anext(stream)
    assert (ended.value.reason, ended.value.metadata["run_id"]) == ("STREAM_ENDED", "run-1")
    assert stream.cursor.after_sequence == 1


async def test_closing_a_stream_ends_a_wait_for_its_next_event_with_an_error() -> None:
    """The waiting task was not cancelled, and must not look so."""
    script = Scripted([BEGIN], stays_open=True)
    async with playing(script) as stage, Client(stage.address, patience=0) as client, client.stream_run("x") as stream:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_failure_of(stream))
            await asyncio.sleep(0)  # so that it waits
            await stream.aclose()
        assert reading.result().reason == "STREAM_ENDED"


async def _failure_of(stream: RunStream) -> errors.PenstockError:
    with pytest.raises(errors.Cancelled) as ended:
        await anext(stream)
    return ended.value


async def test_leaving_a_stream_ends_its_call() -> None:
    """By leaving the block, and by dropping the stream without a word."""
    script = Scripted([BEGIN, piece(1)], stays_open=True)
    async with asyncio.timeout(20), playing(script) as stage, Client(stage.address, patience=0) as client:
        async with client.stream_run("x") as stream:
            await anext(stream)
        await script.left.wait()
        script.left.clear()
        async for _ in client.stream_run("x"):
            break
        gc.collect()
        await script.left.wait()
