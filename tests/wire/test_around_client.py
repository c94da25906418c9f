"""Concerns on the caller's side, and grpc.aio's own client interceptors, in both transports alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock.wire.around import around_client
from penstock.wire.call import Call, Kind, Side


class Notes:
    """A concern that notes how each call ended."""

    def __init__(self, name: str = "concern") -> None:
        self.name = name
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.calls: list[Call] = []

    @asynccontextmanager
    async def __call__(self, call: Call) -> AsyncIterator[None]:
        self.calls.append(call)
        try:
            yield
        except grpc.aio.AioRpcError as error:
            self.ended.put_nowait(error.code().name)
            raise
        except BaseException as error:
            self.ended.put_nowait(type(error).__name__)
            raise
        self.ended.put_nowait("fine")


async def test_a_client_concern_changes_metadata_and_timeout(wire: Any, kind: Kind) -> None:
    seen: list[Any] = []

    async def body(value: str, context: Any) -> None:
        seen.extend([context.time_remaining(), list(context.invocation_metadata())])

    @asynccontextmanager
    async def adding(call: Call) -> AsyncIterator[None]:
        call.metadata.append(("x-added", "yes"))
        call.timeout = 5.0
        yield

    await wire.host(wire.four(body))
    stub = wire.stub(around_client(adding))
    assert await stub.say(kind, timeout=60, metadata=(("x-mine", "a"), ("x-mine", "b"))) == ["hello"]
    assert 0 < seen[0] < 6
    pairs = [(key, value) for key, value in seen[1] if key.startswith("x-")]
    assert pairs == [("x-mine", "a"), ("x-mine", "b"), ("x-added", "yes")]


async def test_a_client_concern_sees_the_call_and_its_good_end(wire: Any, kind: Kind, unused: Any) -> None:
    notes = Notes()
    await wire.host(wire.four(unused))
    assert await wire.stub(around_client(notes)).say(kind, wait_for_ready=True) == ["hello"]
    assert await notes.ended.get() == "fine"
    (call,) = notes.calls
    assert (call.kind, call.side, call.wait_for_ready) == (kind, Side.CLIENT, True)
    assert call.service == "penstock.conformance.Wire"
    with pytest.raises(RuntimeError, match="no servicer context"):
        _ = call.context


async def test_a_client_concern_sees_the_call_fail(wire: Any, kind: Kind) -> None:
    async def body(value: str, context: Any) -> None:
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")

    notes = Notes()
    await wire.host(wire.four(body))
    with pytest.raises(grpc.aio.AioRpcError, match="full"):
        await wire.stub(around_client(notes)).say(kind)
    assert await notes.ended.get() == "RESOURCE_EXHAUSTED"


async def test_a_client_concern_sees_the_call_cancelled(wire: Any, kind: Kind) -> None:
    entered = asyncio.Event()

    async def body(value: str, context: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    notes = Notes()
    await wire.host(wire.four(body))
    call = wire.stub(around_client(notes)).begin(kind)
    await entered.wait()
    call.cancel()
    assert await notes.ended.get() == "CancelledError"
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_a_client_concern_may_refuse_the_call(wire: Any, kind: Kind) -> None:
    arrived: list[str] = []

    async def body(value: str, context: Any) -> None:
        arrived.append(value)

    class Open(Exception):
        pass

    @asynccontextmanager
    async def breaker(call: Call) -> AsyncIterator[None]:
        raise Open(call.name)
        yield

    outer = Notes()
    await wire.host(wire.four(body))
    with pytest.raises(Open):
        await wire.stub(around_client(outer, breaker)).say(kind)
    assert await outer.ended.get() == "Open"
    assert not arrived


async def test_client_concerns_nest_in_the_order_of_the_list(wire: Any, kind: Kind, unused: Any) -> None:
    order: list[str] = []
    ended = asyncio.Event()

    def noting(name: str) -> Any:
        @asynccontextmanager
        async def concern(call: Call) -> AsyncIterator[None]:
            order.append(f"{name} in")
            yield
            order.append(f"{name} out")
            if name == "a":
                ended.set()

        return concern

    await wire.host(wire.four(unused))
    await wire.stub([*around_client(noting("a"), noting("b"))]).say(kind)
    await ended.wait()
    assert order == ["a in", "b in", "b out", "a out"]


async def test_around_a_unary_call_a_client_concern_may_change_the_error(wire: Any) -> None:
    async def body(value: str, context: Any) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such run")

    @asynccontextmanager
    async def mapping(call: Call) -> AsyncIterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise LookupError(error.details()) from error

    await wire.host(wire.four(body))
    with pytest.raises(LookupError, match="no such run"):
        await wire.stub(around_client(mapping)).say(Kind.UNARY_UNARY)


async def test_concerned_streams_are_written_and_read(wire: Any) -> None:
    async def echo(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        await context.send_initial_metadata((("x-begin", "1"),))
        async for request in requests:
            yield request

    async def joined(requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return StringValue(value=",".join([request.value async for request in requests]))

    notes = Notes()
    await wire.host({Kind.STREAM_STREAM: echo, Kind.STREAM_UNARY: joined})
    stub = wire.stub(around_client(notes))
    call = stub.method(Kind.STREAM_STREAM)()
    for name in "abc":
        await call.write(StringValue(value=name))
        assert (await call.read()).value == name
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert ("x-begin", "1") in list(await call.initial_metadata())
    assert await notes.ended.get() == "fine"
    call = stub.method(Kind.STREAM_UNARY)()
    await call.write(StringValue(value="a"))
    await call.write(StringValue(value="b"))
    await call.done_writing()
    assert (await call).value == "a,b"
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(StringValue(value="late"))


class Answering(grpc.aio.UnaryUnaryClientInterceptor):
    """Answers in place of the server."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return StringValue(value="from the cache")


class Doubling(grpc.aio.UnaryStreamClientInterceptor):
    """Repeats every response."""

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        call = await continuation(client_call_details, request)

        async def doubled() -> AsyncIterator[StringValue]:
            async for message in call:
                yield message
                yield message

        return doubled()


async def test_grpcs_own_interceptors_may_answer_and_change_streams(wire: Any, unused: Any) -> None:
    await wire.host(wire.four(unused))
    stub = wire.stub([Answering(), Doubling()])
    assert await stub.say(Kind.UNARY_UNARY) == ["from the cache"]
    assert await stub.say(Kind.UNARY_STREAM) == ["hello", "hello"]
    call = stub.begin(Kind.UNARY_STREAM)
    assert [(await call.read()).value, (await call.read()).value] == ["hello", "hello"]
    assert await call.read() is grpc.aio.EOF
