"""A service of four handlers behind the server's stack, reached over TCP and in-process."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock.interceptors.context import Door
from penstock.interceptors.draining import Gate
from penstock.interceptors.guard import Load
from penstock.interceptors.rules import LayerRules
from penstock.interceptors.stack import client_stack, server_stack
from penstock.wire.in_process import InProcessChannel, InProcessServer
from penstock.wire.prepared_channel import PreparedChannel
from penstock.wire.preparing import split
from tests.telemetry.recording import Recorded, recording

SERVICE = "penstock.v1.GatewayService"  # so that gates know its methods

Body = Callable[[str, Any], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Served:
    """Represents a running service whose handlers do what the test says."""

    channel: grpc.aio.Channel
    load: Load
    gate: Gate

    def call(self, text: str = "hello", *, method: str = "GetRun", **options: Any) -> Any:
        """Starts a unary call."""
        return self._method("unary_unary", method)(StringValue(value=text), **options)

    def stream(self, text: str = "hello", *, method: str = "AttachRun", **options: Any) -> Any:
        """Starts a call that answers with a stream of one message."""
        return self._method("unary_stream", method)(StringValue(value=text), **options)

    def raw(self, data: bytes) -> Any:
        """Starts a unary call with bytes that may be no message."""
        return self.channel.unary_unary(f"/{SERVICE}/GetRun")(data)

    def _method(self, kind: str, name: str) -> Any:
        return getattr(self.channel, kind)(f"/{SERVICE}/{name}", StringValue.SerializeToString, StringValue.FromString)


def handlers(body: Body) -> grpc.GenericRpcHandler:
    """Makes handlers for unary methods and streams which all answer what `body` returns."""

    async def answer(request: StringValue, context: Any) -> StringValue:
        return StringValue(value=await body(request.value, context))

    async def answer_stream(request: StringValue, context: Any) -> AsyncGenerator[StringValue]:
        yield StringValue(value=await body(request.value, context))

    codec = (StringValue.FromString, StringValue.SerializeToString)
    unary = ("GetRun", "CreateRun", "ExecuteRun")
    streams = ("StreamRun", "AttachRun")
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {name: grpc.unary_unary_rpc_method_handler(answer, *codec) for name in unary}
        | {name: grpc.unary_stream_rpc_method_handler(answer_stream, *codec) for name in streams},
    )


@asynccontextmanager
async def _over_tcp(stack: Any, handler: Any, client: Any) -> AsyncGenerator[grpc.aio.Channel]:
    server = grpc.aio.server(interceptors=stack, options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with _prepared(grpc.aio.insecure_channel(f"127.0.0.1:{port}"), client) as channel:
            yield channel
    finally:
        await server.stop(None)


@asynccontextmanager
async def _in_process(stack: Any, handler: Any, client: Any) -> AsyncGenerator[grpc.aio.Channel]:
    server = InProcessServer("test", interceptors=stack)
    server.add_generic_rpc_handlers((handler,))
    await server.start()
    try:
        async with _prepared(InProcessChannel(server), client) as channel:
            yield channel
    finally:
        await server.stop(None)


def _prepared(channel: grpc.aio.Channel, client: Any) -> grpc.aio.Channel:
    prepares, others = split(client)
    assert not others  # the client stack only prepares
    return PreparedChannel(channel, prepares) if prepares else channel


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture(params=[_over_tcp, _in_process], ids=["tcp", "in-process"])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Serves handlers made of a body behind the stack; `inner` puts the client stack on the channel.

    Without `listening` the stack is that of calls from the same process.
    """

    @asynccontextmanager
    async def served(
        body: Body,
        *,
        rules: LayerRules | None = None,
        door: Door | None = None,
        inner: bool = False,
        listening: bool = True,
    ) -> AsyncGenerator[Served]:
        load, gate = Load(rules or LayerRules("gateway")), Gate()
        stack = server_stack({SERVICE: load}, gate=gate if listening else None, door=door)
        async with (
            asyncio.timeout(20),
            request.param(stack, handlers(body), client_stack() if inner else []) as channel,
        ):
            yield Served(channel, load, gate)

    return served


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """Returns the error that a unary call or a stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (call if hasattr(call, "__await__") else _drained(call))
    return caught.value


async def _drained(stream: Any) -> None:
    async for _ in stream:
        pass


async def too_slow(begin: Callable[..., Any], begun: asyncio.Queue[None], **options: Any) -> None:
    """Makes a call whose handler begins and outlasts the deadline.

    Where a busy machine lets the deadline pass before the handler has begun, another call is made with more time.
    """
    for seconds in (0.2, 1.0, 5.0):
        await failure(begin(timeout=seconds, **options))
        if not begun.empty():
            begun.get_nowait()
            return
    raise AssertionError("no handler has begun")


async def echo(text: str, context: Any) -> str:
    """Answers what was asked."""
    return text


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Has the process record spans and metrics."""
    with recording() as everything:
        yield everything
