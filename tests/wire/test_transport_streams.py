"""Streams keep order, hold writers back, and offer both of grpc.aio's styles, in both transports alike."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock.wire.call import Kind


def text(value: str) -> StringValue:
    return StringValue(value=value)


async def echo(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield request


async def joined(requests: AsyncIterator[StringValue], context: Any) -> StringValue:
    return text(",".join([request.value async for request in requests]))


async def count(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
    for number in range(int(request.value)):
        yield text(str(number))


async def test_a_long_stream_arrives_whole_and_in_order(wire: Any) -> None:
    stub = await wire.begin({Kind.UNARY_STREAM: count})
    assert await stub.say(Kind.UNARY_STREAM, "1000") == [str(number) for number in range(1000)]


async def test_both_directions_flow_at_once(wire: Any) -> None:
    stub = await wire.begin({Kind.STREAM_STREAM: echo})
    call = stub.method(Kind.STREAM_STREAM)()
    for number in range(20):
        await call.write(text(str(number)))
        assert (await call.read()).value == str(number)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("asynchronous", [True, False], ids=["async iterator", "iterator"])
async def test_requests_may_come_from_an_iterator(wire: Any, asynchronous: bool) -> None:
    async def requests() -> AsyncIterator[StringValue]:
        for name in "abc":
            yield text(name)

    stub = await wire.begin({Kind.STREAM_UNARY: joined, Kind.STREAM_STREAM: echo})

    def sent() -> Any:
        return requests() if asynchronous else iter([text(name) for name in "abc"])

    assert (await stub.method(Kind.STREAM_UNARY)(sent())).value == "a,b,c"
    assert [message.value async for message in stub.method(Kind.STREAM_STREAM)(sent())] == ["a", "b", "c"]


async def test_requests_may_be_written(wire: Any) -> None:
    stub = await wire.begin({Kind.STREAM_UNARY: joined})
    call = stub.method(Kind.STREAM_UNARY)()
    await call.wait_for_connection()
    await call.write(text("a"))
    await call.write(text("b"))
    await call.done_writing()
    await call.done_writing()
    assert (await call).value == "a,b"
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(text("c"))


async def test_nothing_can_be_written_after_done_writing(wire: Any) -> None:
    go_on = asyncio.Event()

    async def waiting(requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        await go_on.wait()
        return await joined(requests, context)

    stub = await wire.begin({Kind.STREAM_UNARY: waiting})
    call = stub.method(Kind.STREAM_UNARY)()
    await call.done_writing()
    with pytest.raises(asyncio.InvalidStateError, match="half closed"):
        await call.write(text("late"))
    go_on.set()
    assert (await call).value == ""


async def test_a_handler_may_read_and_write(wire: Any) -> None:
    async def answering(requests: Any, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await context.write(request)

    stub = await wire.begin({Kind.STREAM_STREAM: answering})
    sent = iter([text("a"), text("b")])
    assert [message.value async for message in stub.method(Kind.STREAM_STREAM)(sent)] == ["a", "b"]


async def test_a_handler_may_end_without_reading(wire: Any) -> None:
    async def curt(requests: Any, context: Any) -> StringValue:
        return text("enough")

    async def endless() -> AsyncIterator[StringValue]:
        while True:
            yield text("more")

    stub = await wire.begin({Kind.STREAM_UNARY: curt})
    assert (await stub.method(Kind.STREAM_UNARY)(endless())).value == "enough"


async def test_the_two_styles_do_not_mix(wire: Any) -> None:
    stub = await wire.begin({Kind.UNARY_STREAM: count, Kind.STREAM_STREAM: echo})
    call = stub.begin(Kind.UNARY_STREAM, "3")
    assert (await call.read()).value == "0"
    with pytest.raises(grpc.aio.UsageError):
        aiter(call)
    call.cancel()
    call = stub.begin(Kind.STREAM_STREAM, "x")
    with pytest.raises(grpc.aio.UsageError):
        await call.write(text("y"))
    call.cancel()


async def test_a_stopped_reader_holds_a_writing_handler_back(wire: Any) -> None:
    """The handler has written a bounded number of messages, and no more, when all that can happen has happened."""
    written = 0
    finished = asyncio.Event()

    async def unary_stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        nonlocal written
        try:
            for _ in range(20_000):
                yield text("x" * 1000)
                written += 1
        finally:
            finished.set()

    stub = await wire.begin({Kind.UNARY_STREAM: unary_stream})
    call = stub.begin(Kind.UNARY_STREAM)
    assert (await call.read()).value
    await quiet(lambda: written)
    assert 0 < written < 1000
    before = written
    for _ in range(written + 1):
        await call.read()
    await quiet(lambda: written)
    assert before < written < before + 1000
    call.cancel()
    await finished.wait()


async def test_a_stopped_handler_holds_a_writing_caller_back(wire: Any) -> None:
    """The caller has written a bounded number of messages, and no more, when all that can happen has happened."""
    written = 0

    async def stream_unary(requests: Any, context: Any) -> StringValue:
        await asyncio.Event().wait()
        return text("never")

    async def requests() -> AsyncIterator[StringValue]:
        nonlocal written
        for _ in range(20_000):
            yield text("x" * 1000)
            written += 1

    stub = await wire.begin({Kind.STREAM_UNARY: stream_unary})
    call = stub.method(Kind.STREAM_UNARY)(requests())
    await quiet(lambda: written)
    assert 0 < written < 1000
    call.cancel()


async def quiet(counter: Any) -> None:
    """Waits until a count has begun to grow, and then no longer does over ten rounds of the event loop's timers."""
    same = 0
    last = counter()
    while same < 10:
        await asyncio.sleep(0.01)  # not to synchronise: the absence of an event can only be seen over time
        same = same + 1 if 0 < counter() == last else 0
        last = counter()


async def test_a_handler_cannot_change_its_callers_message(wire: Any) -> None:
    sent = text("mine")

    async def change(request: StringValue, context: Any) -> StringValue:
        request.value = "yours"
        return request

    async def change_all(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        async for request in requests:
            request.value = "yours"
            yield request

    stub = await wire.begin({Kind.UNARY_UNARY: change, Kind.STREAM_STREAM: change_all})
    received = await stub.method(Kind.UNARY_UNARY)(sent)
    assert (sent.value, received.value) == ("mine", "yours")
    assert [message.value async for message in stub.method(Kind.STREAM_STREAM)(iter([sent]))] == ["yours"]
    assert sent.value == "mine"


async def test_a_message_changed_after_sending_arrives_as_it_was(wire: Any) -> None:
    shared = text("0")

    async def unary_stream(request: StringValue, context: Any) -> None:
        for number in range(3):
            shared.value = str(number)
            await context.write(shared)

    stub = await wire.begin({Kind.UNARY_STREAM: unary_stream})
    assert await stub.say(Kind.UNARY_STREAM) == ["0", "1", "2"]
