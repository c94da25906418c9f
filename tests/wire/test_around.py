"""Concerns, written once, go around rpcs of all four kinds on both sides of both transports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock.wire.around import Around
from penstock.wire.call import Call, Kind, Side
from penstock.wire.decode import GuardedDecode
from penstock.wire.errors import InvalidArgument

Making = Callable[[str], Callable[[Call], AbstractAsyncContextManager[None]]]


class Trail:
    """Notes in which order things happen, and lets one wait for a note."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._noted = asyncio.Condition()

    async def note(self, what: str) -> None:
        async with self._noted:
            self.notes.append(what)
            self._noted.notify_all()

    async def reaches(self, length: int) -> list[str]:
        async with self._noted:
            await self._noted.wait_for(lambda: len(self.notes) >= length)
        return self.notes

    def concern(self, name: str) -> Any:
        @asynccontextmanager
        async def noting(call: Call) -> AsyncIterator[None]:
            await self.note(f"{name} in")
            try:
                yield
            except BaseException as error:
                await self.note(f"{name} {type(error).__name__}")
                raise
            await self.note(f"{name} out")

        return noting


@asynccontextmanager
async def mapping(call: Call) -> AsyncIterator[None]:
    """A concern that maps one error to a status."""
    try:
        yield
    except InvalidArgument as error:
        await call.context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
    except RuntimeError as error:
        await call.context.abort(grpc.StatusCode.INTERNAL, str(error))


async def test_server_concerns_nest_in_the_order_of_the_list(wire: Any, kind: Kind) -> None:
    trail = Trail()

    async def body(value: str, context: Any) -> None:
        await trail.note("handler")

    await wire.host(wire.four(body), [Around(trail.concern("a"), trail.concern("b")), Around(trail.concern("c"))])
    assert await wire.stub().say(kind) == ["hello"]
    assert await trail.reaches(7) == ["a in", "b in", "c in", "handler", "c out", "b out", "a out"]


async def test_a_server_concern_sees_the_whole_call(wire: Any, kind: Kind, unused: Any) -> None:
    calls: list[Call] = []
    peers: list[str] = []

    @asynccontextmanager
    async def keeping(call: Call) -> AsyncIterator[None]:
        calls.append(call)
        peers.append(call.context.peer())  # not later: once a call is over, grpc crashes the process
        yield

    await wire.host(wire.four(unused), [Around(keeping), Around(keeping)])
    await wire.stub().say(kind, timeout=30, metadata=(("x-tag", "one"), ("x-tag", "two")))
    assert calls[0] is calls[1], "concerns around one rpc share its Call"
    call = calls[0]
    assert (call.kind, call.side) == (kind, Side.SERVER)
    assert call.service == "penstock.conformance.Wire"
    assert call.name == kind.name.title().replace("_", "")
    assert [value for key, value in call.metadata if key == "x-tag"] == ["one", "two"]
    assert 25 < call.timeout < 31
    assert all(peers)


async def test_a_handlers_error_passes_through_the_concerns(wire: Any, kind: Kind) -> None:
    trail = Trail()

    async def body(value: str, context: Any) -> None:
        raise RuntimeError("broken")

    await wire.host(wire.four(body), [Around(trail.concern("outer"), mapping, trail.concern("inner"))])
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await wire.stub().say(kind)
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.INTERNAL, "broken")
    assert await trail.reaches(4) == ["outer in", "inner in", "inner RuntimeError", "outer AbortError"]


async def test_an_error_halfway_through_a_stream_passes_through_the_concerns(wire: Any) -> None:
    async def unary_stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield request
        raise RuntimeError("halfway")

    await wire.host({Kind.UNARY_STREAM: unary_stream}, [Around(mapping)])
    call = wire.stub().begin(Kind.UNARY_STREAM)
    assert (await call.read()).value == "hello"
    with pytest.raises(grpc.aio.AioRpcError, match="halfway"):
        await call.read()


async def test_a_cancelled_caller_cancels_the_handler_through_the_concerns(wire: Any, kind: Kind) -> None:
    trail = Trail()

    async def body(value: str, context: Any) -> None:
        await trail.note("handler")
        await asyncio.Event().wait()

    await wire.host(wire.four(body), [Around(trail.concern("a"))])
    call = wire.stub().begin(kind)
    await trail.reaches(2)
    call.cancel()
    assert await trail.reaches(3) == ["a in", "handler", "a CancelledError"]


async def test_a_generator_is_closed_when_its_caller_goes(wire: Any) -> None:
    closed = asyncio.Event()

    async def unary_stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        try:
            while True:
                yield request
        finally:
            closed.set()

    await wire.host({Kind.UNARY_STREAM: unary_stream}, [Around(mapping)])
    call = wire.stub().begin(Kind.UNARY_STREAM)
    await call.read()
    call.cancel()
    await closed.wait()


async def test_a_handler_that_exits_ends_its_call_and_nothing_else(wire: Any, kind: Kind) -> None:
    async def body(value: str, context: Any) -> None:
        if value == "exit":
            raise SystemExit(3)

    await wire.host(wire.four(body), [Around(mapping)])
    stub = wire.stub()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.say(kind, "exit")
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert await stub.say(kind) == ["hello"]


async def test_a_method_nobody_serves_stays_unimplemented_inside_concerns(wire: Any, kind: Kind) -> None:
    await wire.host({}, [Around(mapping), GuardedDecode()])
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await wire.stub().say(kind)
    assert failed.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_handler_that_is_not_async_is_refused() -> None:
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    with pytest.raises(TypeError, match="handlers here are async"):
        Around(mapping).wrap("/s/M", handler)


async def test_malformed_requests_are_invalid_arguments_where_concerns_see_them(
    wire: Any, kind: Kind, unused: Any
) -> None:
    await wire.host(wire.four(unused), [Around(mapping), GuardedDecode()])
    stub = wire.stub()
    malformed = iter([b"\xff\xff"]) if kind.request_streaming else b"\xff\xff"
    call = stub.method(kind, request_serializer=None)(malformed)
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "is not a valid message" in await call.details()
    assert await stub.say(kind) == ["hello"]


async def test_a_malformed_message_later_in_a_stream_is_an_invalid_argument(wire: Any) -> None:
    async def echo(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield request

    await wire.host({Kind.STREAM_STREAM: echo}, [Around(mapping), GuardedDecode()])
    method = wire.stub().method(Kind.STREAM_STREAM, request_serializer=None)
    call = method(iter([StringValue(value="fine").SerializeToString(), b"\xff\xff"]))
    assert (await call.read()).value == "fine"
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call.read()
    assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
