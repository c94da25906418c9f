"""Starting, stopping and closing, and what stays apart: the same in both transports."""

import asyncio
from contextvars import ContextVar
from typing import Any

import grpc
import pytest

from penstock.wire.call import Kind

PLANTED: ContextVar[str] = ContextVar("PLANTED", default="nothing")


class Held:
    """The body of a handler that waits to be let go."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, value: str, context: Any) -> None:
        self.entered.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def test_a_handler_does_not_see_its_callers_context(wire: Any, kind: Kind) -> None:
    seen: list[str] = []

    async def body(value: str, context: Any) -> None:
        seen.append(PLANTED.get())
        PLANTED.set("the handler's")

    PLANTED.set("before the server")
    await wire.host(wire.four(body))
    PLANTED.set("the caller's")
    stub = wire.stub()
    await stub.say(kind)
    await stub.say(kind)
    assert "the caller's" not in seen
    assert seen[0] == seen[1] != "the handler's"
    assert PLANTED.get() == "the caller's"


async def test_closing_a_channel_cancels_its_calls(wire: Any, kind: Kind) -> None:
    held = Held()
    stub = await wire.begin(wire.four(held))
    call = stub.begin(kind)
    await held.entered.wait()
    await stub.channel.close()
    assert call.cancelled()
    assert stub.channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    with pytest.raises(grpc.aio.UsageError, match="Channel is closed"):
        await stub.say(kind)


async def test_closing_a_channel_with_grace_lets_calls_finish(wire: Any, kind: Kind) -> None:
    held = Held()
    stub = await wire.begin(wire.four(held))
    async with asyncio.TaskGroup() as tasks:
        saying = tasks.create_task(stub.say(kind))
        await held.entered.wait()
        closing = tasks.create_task(stub.channel.close(grace=10))
        await asyncio.wait([closing], timeout=0.05)
        held.let_go.set()
    assert saying.result() == ["hello"]


async def test_stopping_a_server_lets_calls_finish_and_refuses_new_ones(wire: Any, kind: Kind) -> None:
    held = Held()
    stub = await wire.begin(wire.four(held))
    async with asyncio.TaskGroup() as tasks:
        saying = tasks.create_task(stub.say(kind))
        await held.entered.wait()
        stopping = tasks.create_task(wire.server.stop(10))
        await asyncio.wait([stopping], timeout=0.05)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.say(kind, timeout=5)
        held.let_go.set()
    assert saying.result() == ["hello"]
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_stopping_a_server_cancels_what_outlasts_the_grace(wire: Any, kind: Kind) -> None:
    held = Held()
    stub = await wire.begin(wire.four(held))
    call = stub.begin(kind)
    await held.entered.wait()
    await wire.server.stop(0.05)
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
    await held.cancelled.wait()


async def test_a_stopped_server_is_unavailable(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    assert await stub.say(kind) == ["hello"]
    await wire.server.stop(None)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.say(kind, timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_channel_becomes_ready(wire: Any, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    await stub.channel.channel_ready()
    assert stub.channel.get_state() is grpc.ChannelConnectivity.READY
    assert await stub.say(Kind.UNARY_UNARY, wait_for_ready=True) == ["hello"]


async def test_many_calls_run_at_once(wire: Any, kind: Kind) -> None:
    everyone = asyncio.Barrier(100)

    async def body(value: str, context: Any) -> None:
        await everyone.wait()

    stub = await wire.begin(wire.four(body))
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(stub.say(kind, str(number))) for number in range(100)]
    assert [call.result() for call in calls] == [[str(number)] for number in range(100)]


async def test_a_call_knows_its_peer(wire: Any) -> None:
    peers: list[str] = []

    async def body(value: str, context: Any) -> None:
        peers.append(context.peer())

    stub = await wire.begin(wire.four(body))
    await stub.say(Kind.UNARY_UNARY)
    assert peers[0].startswith("inprocess:test" if wire.transport == "in_process" else "ipv4:127.0.0.1:")
