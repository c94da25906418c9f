"""Reading a run's events through the gateway: nothing missing, nothing twice, whoever is dead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from penstock.v1.gateway_pb2 import AttachRunRequest, AttachRunResponse, GetRunRequest
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import RUN_STATE_RUNNING, RUN_STATE_SUCCEEDED
from penstock.wire import errors
from penstock.wire.status import from_rpc_error
from tests.gateway.house import House
from tests.gateway.out_of_time import out_of_time

if TYPE_CHECKING:
    Attached = grpc.aio.UnaryStreamCall[AttachRunRequest, AttachRunResponse]


async def receive(call: Attached) -> AttachRunResponse:
    async with asyncio.timeout(5):
        message = await call.read()
    assert isinstance(message, AttachRunResponse), "the stream ended"
    return message


async def receive_events(call: Attached, count: int) -> list[RunEvent]:
    """Reads until so many events have come, heartbeats aside."""
    events: list[RunEvent] = []
    while len(events) < count:
        events += (await receive(call)).events
    assert len(events) == count
    return events


async def failure(call: Attached) -> errors.PenstockError:
    try:
        async with asyncio.timeout(5):
            while await call.read() is not grpc.aio.EOF:
                pass
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    pytest.fail("the stream ended without an error")


async def test_the_first_message_tells_the_run_and_the_next_ones_its_events(house: House) -> None:
    """A stream begins with the run, generation and no events; events follow as they are recorded, to the last."""
    await house.recorder.record("run-1")
    call = house.gateway.AttachRun(AttachRunRequest(run_id="run-1"))
    first = await receive(call)
    assert (first.run.run_id, first.run.state, len(first.events)) == ("run-1", RUN_STATE_RUNNING, 0)
    assert first.generation > 0
    assert not first.run.input
    await receive_events(call, 2)
    await house.recorder.say("run-1", "one", "two")
    tokens = await receive_events(call, 2)
    assert [event.token.text for event in tokens] == ["one", "two"]
    await house.recorder.finish("run-1")
    assert (await receive_events(call, 2))[-1].WhichOneof("event") == "run_finished"
    assert await call.read() is grpc.aio.EOF


async def test_attaching_after_any_number_continues_with_the_next(house: House) -> None:
    """Whatever was seen last, the rest of a finished run is replayed without gap or repetition; then it ends."""
    await house.recorder.record("run-1")
    await house.recorder.say("run-1", *"abcdef")
    await house.recorder.finish("run-1")
    for seen in range(11):
        messages = [m async for m in house.gateway.AttachRun(AttachRunRequest(run_id="run-1", after_sequence=seen))]
        assert messages[0].run.state == RUN_STATE_SUCCEEDED
        assert not messages[0].events
        sequences = [event.sequence for message in messages for event in message.events]
        assert sequences == list(range(seen + 1, 11))
        assert {message.generation for message in messages} == {messages[0].generation}
        assert [message.HasField("run") for message in messages[1:]] == [False] * (len(messages) - 1)


async def test_a_silent_run_shows_that_its_stream_is_alive(house: House) -> None:
    """After each heartbeat of silence comes an empty message with the generation, and nothing is lost by it."""
    await house.recorder.record("run-1")
    call = house.gateway.AttachRun(AttachRunRequest(run_id="run-1", after_sequence=2))
    first = await receive(call)
    for _ in range(3):
        beat = await receive(call)
        assert not beat.events
        assert not beat.HasField("run")
        assert beat.generation == first.generation
    await house.recorder.say("run-1", "late")
    assert [event.sequence for event in await receive_events(call, 1)] == [3]
    call.cancel()


async def test_many_large_events_come_in_messages_of_at_most_a_mebibyte(house: House) -> None:
    """However much is waiting, a message stays near the limit and the order holds."""
    await house.recorder.record("run-1")
    for letter in "abcde":
        await house.recorder.say("run-1", letter * 700_000)
    await house.recorder.finish("run-1")
    messages = [m async for m in house.gateway.AttachRun(AttachRunRequest(run_id="run-1"))]
    assert max(message.ByteSize() for message in messages) < 1024 * 1024
    assert [event.sequence for message in messages for event in message.events] == list(range(1, 10))


async def test_a_reader_who_goes_away_leaves_run_and_other_readers_alone(house: House) -> None:
    """Dropping a stream cancels nothing but the stream."""
    await house.recorder.record("run-1")
    leaving = house.gateway.AttachRun(AttachRunRequest(run_id="run-1"))
    staying = house.gateway.AttachRun(AttachRunRequest(run_id="run-1"))
    await receive_events(leaving, 2)
    await receive_events(staying, 2)
    leaving.cancel()
    await house.recorder.say("run-1", "still here")
    assert (await receive_events(staying, 1))[0].token.text == "still here"
    run = (await house.gateway.GetRun(GetRunRequest(run_id="run-1"))).run
    assert run.state == RUN_STATE_RUNNING
    staying.cancel()


async def test_attaching_to_what_does_not_exist_names_it_and_what_looks_like_it(house: House) -> None:
    """A slip of the finger is told as such."""
    await house.recorder.record("run-abcdefghij")
    error = await failure(house.gateway.AttachRun(AttachRunRequest(run_id="run-abcdefghik")))
    assert isinstance(error, errors.NotFound)
    assert error.reason == "RUN_NOT_FOUND"
    assert "'run-abcdefghij'" in error.message


async def test_a_cursor_beyond_the_end_is_refused(house: House) -> None:
    """A number that was never given is a mistake of the caller's, told with the run's name."""
    await house.recorder.record("run-1")
    error = await failure(house.gateway.AttachRun(AttachRunRequest(run_id="run-1", after_sequence=99)))
    assert isinstance(error, errors.InvalidArgument)
    assert error.metadata["run_id"] == "run-1"


async def test_a_cursor_of_another_generation_is_data_loss(house: House) -> None:
    """Numbers of another history never get other content; the last common sequence says where to go on."""
    await house.recorder.record("run-1")
    error = await failure(house.gateway.AttachRun(AttachRunRequest(run_id="run-1", generation=77, after_sequence=1)))
    assert isinstance(error, errors.DataLoss)
    assert error.metadata["run_id"] == "run-1"
    assert "last_common_sequence" in error.metadata


async def test_a_malformed_run_id_is_refused_before_anything_is_asked(house: House) -> None:
    """The violation names the field."""
    error = await failure(house.gateway.AttachRun(AttachRunRequest(run_id="no such thing")))
    assert isinstance(error, errors.InvalidArgument)
    assert [violation.field for violation in error.violations] == ["run_id"]


async def test_a_stream_out_of_time_says_that_the_run_goes_on(house: House) -> None:
    """The caller's deadline ends the stream with the run's name, early enough to arrive, and not the run."""
    await house.recorder.record("run-1")
    request = AttachRunRequest(run_id="run-1")
    error = await out_of_time(lambda: failure(house.gateway.AttachRun(request, timeout=1.2)))
    assert isinstance(error, errors.DeadlineExceeded)
    assert error.metadata["run_id"] == "run-1"


async def test_without_the_state_layer_a_stream_ends_as_unavailable(house: House) -> None:
    """When the state layer stays away, a reader hears so with advice when to come back."""
    await house.recorder.record("run-1")
    call = house.gateway.AttachRun(AttachRunRequest(run_id="run-1"))
    await receive_events(call, 2)
    await house.servers["state"].stop(None)
    error = await failure(call)
    assert isinstance(error, errors.Unavailable)
    assert error.retry_after
    assert error.metadata["run_id"] == "run-1"


async def test_hundred_readers_of_one_run_each_see_all_of_it(house: House) -> None:
    """Readers share one stream from the state layer, and none misses or repeats anything."""
    await house.recorder.record("run-1")

    async def transcript() -> list[int]:
        call = house.gateway.AttachRun(AttachRunRequest(run_id="run-1"))
        return [event.sequence async for message in call for event in message.events]

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        readers = [group.create_task(transcript()) for _ in range(100)]
        for number in range(20):
            await house.recorder.say("run-1", f"token {number}")
        await house.recorder.finish("run-1")
    assert [reader.result() for reader in readers] == [list(range(1, 25))] * 100
