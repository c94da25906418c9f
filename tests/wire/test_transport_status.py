"""However a call ends, its caller learns the same in both transports."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.code_pb2 import NOT_FOUND
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from penstock.wire.call import Kind
from penstock.wire.in_process.limits import MAX_MESSAGE_BYTES


class RichStatus(grpc.Status):
    """A status with details, as grpc_status makes it."""

    def __init__(self, status: Status) -> None:
        self.code = grpc.StatusCode.NOT_FOUND
        self.details = status.message
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


async def failure(calling: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await calling
    return failed.value


async def test_abort_ends_the_call_with_code_text_and_trailing_metadata(wire: Any, kind: Kind) -> None:
    passed: list[str] = []

    async def body(value: str, context: Any) -> None:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now", (("x-why", "busy"),))
        passed.append(value)

    stub = await wire.begin(wire.four(body))
    error = await failure(stub.say(kind))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "not now"
    assert ("x-why", "busy") in list(error.trailing_metadata())
    assert not passed


async def test_abort_with_status_carries_its_details(wire: Any, kind: Kind) -> None:
    info = ErrorInfo(reason="NO_SUCH_RUN", domain="penstock", metadata={"run_id": "r-1"})
    packed = AnyMessage()
    packed.Pack(info)
    status = Status(code=NOT_FOUND, message="no such run", details=[packed])

    async def body(value: str, context: Any) -> None:
        await context.abort_with_status(RichStatus(status))

    stub = await wire.begin(wire.four(body))
    error = await failure(stub.say(kind))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    (details,) = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
    assert Status.FromString(details) == status


async def test_an_abort_that_a_handler_swallows_still_counts(wire: Any, kind: Kind) -> None:
    async def body(value: str, context: Any) -> None:
        try:
            await context.abort(grpc.StatusCode.NOT_FOUND, "gone")
        except grpc.aio.AbortError:
            return

    stub = await wire.begin(wire.four(body))
    error = await failure(stub.say(kind))
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "gone")


async def test_set_code_and_set_details_decide_how_the_call_ends(wire: Any, kind: Kind) -> None:
    seen: list[Any] = []

    async def body(value: str, context: Any) -> None:
        context.set_code(grpc.StatusCode.OUT_OF_RANGE)
        context.set_details("too old")
        seen.append((context.code(), context.details()))

    stub = await wire.begin(wire.four(body))
    error = await failure(stub.say(kind))
    assert (error.code(), error.details()) == (grpc.StatusCode.OUT_OF_RANGE, "too old")
    assert seen == [(grpc.StatusCode.OUT_OF_RANGE, "too old")]


async def test_an_unhandled_error_is_unknown_and_the_server_lives_on(wire: Any, kind: Kind) -> None:
    async def body(value: str, context: Any) -> None:
        if value == "fail":
            raise ValueError("broken")

    stub = await wire.begin(wire.four(body))
    error = await failure(stub.say(kind, "fail"))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert error.details() == "Unexpected <class 'ValueError'>: broken"
    assert await stub.say(kind, "again") == ["again"]


async def test_an_unhandled_error_keeps_the_code_that_was_set(wire: Any, kind: Kind) -> None:
    async def body(value: str, context: Any) -> None:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        raise ValueError("broken")

    stub = await wire.begin(wire.four(body))
    assert (await failure(stub.say(kind))).code() is grpc.StatusCode.DATA_LOSS


async def test_a_method_nobody_serves_is_unimplemented(wire: Any, kind: Kind) -> None:
    stub = await wire.begin({})
    error = await failure(stub.say(kind))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def test_messages_before_a_failure_arrive_first(wire: Any) -> None:
    async def unary_stream(request: Any, context: Any) -> Any:
        yield request
        yield request
        await context.abort(grpc.StatusCode.ABORTED, "halfway")

    stub = await wire.begin({Kind.UNARY_STREAM: unary_stream})
    call = stub.begin(Kind.UNARY_STREAM)
    assert [(await call.read()).value, (await call.read()).value] == ["hello", "hello"]
    for _ in range(2):
        assert (await failure(call.read())).code() is grpc.StatusCode.ABORTED
    assert call.done()


async def test_a_call_is_not_over_while_messages_are_unread(wire: Any) -> None:
    ended: asyncio.Queue[Any] = asyncio.Queue()

    async def unary_stream(request: Any, context: Any) -> Any:
        context.add_done_callback(ended.put_nowait)
        yield request
        yield request

    stub = await wire.begin({Kind.UNARY_STREAM: unary_stream})
    call = stub.begin(Kind.UNARY_STREAM)
    assert (await call.read()).value == "hello"
    await ended.get()
    assert not call.done()
    assert (await call.read()).value == "hello"
    assert await call.read() is grpc.aio.EOF
    assert call.done()


async def test_malformed_bytes_without_a_guard_are_unknown(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    malformed = iter([b"\xff\xff"]) if kind.request_streaming else b"\xff\xff"
    call = stub.method(kind, request_serializer=None)(malformed)
    assert await call.code() is grpc.StatusCode.UNKNOWN
    assert "DecodeError" in await call.details()


async def test_a_request_over_the_limit_is_refused(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    error = await failure(stub.say(kind, "x" * MAX_MESSAGE_BYTES))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == f"CLIENT: Sent message larger than max ({MAX_MESSAGE_BYTES + 5} vs. {MAX_MESSAGE_BYTES})"


async def test_a_response_over_the_limit_is_refused(wire: Any) -> None:
    async def unary_unary(request: Any, context: Any) -> Any:
        return type(request)(value="x" * MAX_MESSAGE_BYTES)

    async def unary_stream(request: Any, context: Any) -> Any:
        yield type(request)(value="x" * MAX_MESSAGE_BYTES)

    stub = await wire.begin({Kind.UNARY_UNARY: unary_unary, Kind.UNARY_STREAM: unary_stream})
    for kind in (Kind.UNARY_UNARY, Kind.UNARY_STREAM):
        error = await failure(stub.say(kind))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details().startswith("SERVER: Sent message larger than max")


async def test_a_message_just_under_the_limit_passes(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    long = "x" * (MAX_MESSAGE_BYTES - 16)
    assert await stub.say(kind, long) == [long]


async def test_a_done_callback_runs_once_whenever_it_was_added(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    ended: asyncio.Queue[Any] = asyncio.Queue()
    call = stub.begin(kind)
    call.add_done_callback(ended.put_nowait)
    if kind.response_streaming:
        assert [message.value async for message in call] == ["hello"]
    assert await call.code() is grpc.StatusCode.OK
    assert await ended.get() is call
    call.add_done_callback(ended.put_nowait)
    assert await ended.get() is call
    assert ended.empty()


async def test_a_handlers_done_callback_runs_when_it_has_ended(wire: Any, kind: Kind) -> None:
    ended: asyncio.Queue[Any] = asyncio.Queue()

    async def body(value: str, context: Any) -> None:
        context.add_done_callback(ended.put_nowait)

    stub = await wire.begin(wire.four(body))
    assert await stub.say(kind) == ["hello"]
    assert (await ended.get()).done()


async def test_awaiting_a_unary_call_again_gives_the_same_response(wire: Any, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    call = stub.begin(Kind.UNARY_UNARY)
    assert await call is await call
