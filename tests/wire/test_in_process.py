"""What only the in-process transport has: no port, parked calls, and an exit that ends nothing."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock.wire.in_process import InProcessChannel, InProcessServer
from penstock.wire.preparing import prepare_calls


async def echo(request: StringValue, context: Any) -> StringValue:
    if request.value == "exit":
        raise SystemExit(3)
    if request.value == "stay":
        await asyncio.Event().wait()
    if request.value == "cancel":
        raise asyncio.CancelledError
    return request


def hosted() -> InProcessServer:
    server = InProcessServer("echo")
    handler = grpc.unary_unary_rpc_method_handler(echo, StringValue.FromString, StringValue.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {"Echo": handler})])
    return server


def method(channel: InProcessChannel) -> Any:
    return channel.unary_unary("/test.Echo/Echo", StringValue.SerializeToString, StringValue.FromString)


async def test_a_server_has_no_port() -> None:
    with pytest.raises(grpc.aio.UsageError, match="no port"):
        hosted().add_insecure_port("127.0.0.1:0")


async def test_a_server_not_started_is_unavailable_unless_the_caller_waits() -> None:
    server = hosted()
    async with InProcessChannel(server) as channel:
        assert channel.get_state() is grpc.ChannelConnectivity.IDLE
        with pytest.raises(grpc.aio.AioRpcError, match="has not been started yet") as refused:
            await method(channel)(StringValue())
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        waiting = method(channel)(StringValue(value="patience"), wait_for_ready=True)
        async with asyncio.TaskGroup() as tasks:
            ready = tasks.create_task(channel.channel_ready())
            await server.start()
            await ready
        assert (await waiting).value == "patience"
    await server.stop(None)


async def test_a_call_that_waits_for_a_server_keeps_its_deadline() -> None:
    async with InProcessChannel(hosted()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await method(channel)(StringValue(), wait_for_ready=True, timeout=0.05)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_that_came_just_before_a_stop_is_ended_by_it() -> None:
    """Its handler has not had its first step by then, and would otherwise keep the server from stopping for ever."""
    server = hosted()
    await server.start()
    async with InProcessChannel(server) as channel, asyncio.timeout(5):
        call = method(channel)(StringValue(value="stay"))
        await server.stop(None)
        assert await call.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_handler_that_is_cancelled_before_its_first_step_ends_its_call() -> None:
    """Its caller would wait for ever."""
    server = hosted()
    await server.start()
    async with InProcessChannel(server) as channel, asyncio.timeout(5):
        before = asyncio.all_tasks()
        call = method(channel)(StringValue())
        for task in asyncio.all_tasks() - before:
            task.cancel()
        assert await call.code() is grpc.StatusCode.CANCELLED
    await server.stop(None)


async def test_a_server_starts_once_and_tells_when_it_has_stopped() -> None:
    server = hosted()
    await server.start()
    await server.start()
    assert await server.wait_for_termination(0.01), "it is still serving"
    async with asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(server.wait_for_termination())
        await server.stop(None)
    assert not ended.result()
    await server.stop(None)
    with pytest.raises(grpc.aio.UsageError):
        await server.start()


async def test_a_server_stopped_before_it_started_is_stopped() -> None:
    server = hosted()
    async with InProcessChannel(server) as channel:
        parked = method(channel)(StringValue(), wait_for_ready=True)
        await server.stop(None)
        with pytest.raises(grpc.aio.AioRpcError, match="has stopped"):
            await parked
        assert not await server.wait_for_termination(1)


async def test_an_exit_in_a_handler_ends_only_its_call() -> None:
    server = hosted()
    await server.start()
    async with InProcessChannel(server) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="SystemExit") as failed:
            await method(channel)(StringValue(value="exit"))
        assert failed.value.code() is grpc.StatusCode.UNKNOWN
        assert (await method(channel)(StringValue(value="still here"))).value == "still here"
    await server.stop(None)


async def test_a_handler_that_cancels_itself_does_not_leave_its_caller_waiting() -> None:
    server = hosted()
    await server.start()
    async with InProcessChannel(server) as channel, asyncio.timeout(5):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await method(channel)(StringValue(value="cancel"))
        assert failed.value.code() is grpc.StatusCode.CANCELLED
    await server.stop(None)


async def test_a_response_that_cannot_be_decoded_is_an_internal_error() -> None:
    def broken(data: bytes) -> Any:
        raise ValueError("not mine")

    server = hosted()
    await server.start()
    async with InProcessChannel(server) as channel:
        call = channel.unary_unary("/test.Echo/Echo", StringValue.SerializeToString, broken)(StringValue())
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call
        assert failed.value.code() is grpc.StatusCode.INTERNAL
    await server.stop(None)


async def test_something_that_is_no_interceptor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no grpc\.aio client interceptor"):
        InProcessChannel(hosted(), [object()])


@pytest.mark.parametrize("intercepted", [False, True])
async def test_a_call_that_another_thread_lets_go_is_cancelled_in_the_loops_own(intercepted: bool) -> None:
    """Garbage is collected in whichever thread it is due, and a loop that is woken from there may sleep on."""
    entered, left = asyncio.Event(), asyncio.Event()

    async def stay(request: StringValue, context: Any) -> StringValue:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return request

    server = InProcessServer("stay")
    handler = grpc.unary_unary_rpc_method_handler(stay, StringValue.FromString, StringValue.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {"Echo": handler})])
    await server.start()
    asyncio.get_running_loop().set_debug(True)  # in which a loop refuses what comes from other threads
    async with InProcessChannel(server, prepare_calls(lambda call: None) if intercepted else ()) as channel:
        held = [method(channel)(StringValue())]
        await entered.wait()
        await asyncio.to_thread(held.clear)
        await left.wait()
    await server.stop(None)
