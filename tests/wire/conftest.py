"""One service with a method of each kind, hosted in-process and over TCP, and a leak check after each test."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from google.protobuf.wrappers_pb2 import StringValue

from penstock.wire.call import Kind
from penstock.wire.channel import open_channel
from penstock.wire.in_process import InProcessServer
from penstock.wire.in_process.limits import MAX_MESSAGE_BYTES

HERE = Path(__file__).parent
SERVICE = "penstock.conformance.Wire"
METHODS = {kind: kind.name.title().replace("_", "") for kind in Kind}

# With the bandwidth probe, a stopped handler would have thousands of requests ahead of it.
SERVER_OPTIONS = [("grpc.so_reuseport", 0), ("grpc.http2.bdp_probe", 0)]

Body = Callable[[str, Any], Awaitable[None]]


def _describe_service() -> None:
    file = FileDescriptorProto(name="penstock/conformance/wire.proto", package="penstock.conformance", syntax="proto3")
    file.dependency.append("google/protobuf/wrappers.proto")
    service = file.service.add(name="Wire")
    for kind, name in METHODS.items():
        service.method.add(
            name=name,
            input_type=".google.protobuf.StringValue",
            output_type=".google.protobuf.StringValue",
            client_streaming=kind.request_streaming,
            server_streaming=kind.response_streaming,
        )
    reads = service.method.add(
        name="Read", input_type=".google.protobuf.StringValue", output_type=".google.protobuf.StringValue"
    )
    reads.options.idempotency_level = MethodOptions.NO_SIDE_EFFECTS
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())


_describe_service()


def text(value: str) -> StringValue:
    """Returns a message with this text."""
    return StringValue(value=value)


@dataclass(frozen=True, slots=True)
class Stub:
    """Calls the four methods, as a generated stub would."""

    channel: grpc.aio.Channel

    def method(self, kind: Kind, **serializers: Any) -> Any:
        make = getattr(self.channel, kind.name.lower())
        defaults = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        return make(f"/{SERVICE}/{METHODS[kind]}", **(defaults | serializers))

    def begin(self, kind: Kind, value: str = "hello", **options: Any) -> Any:
        """Starts a call that sends one message."""
        request = iter([text(value)]) if kind.request_streaming else text(value)
        return self.method(kind)(request, **options)

    async def say(self, kind: Kind, value: str = "hello", **options: Any) -> list[str]:
        """Makes a call that sends one message, and returns what came back."""
        return await answers(kind, self.begin(kind, value, **options))


async def answers(kind: Kind, call: Any) -> list[str]:
    """Returns the texts of all responses of a call."""
    if kind.response_streaming:
        return [message.value async for message in call]
    return [(await call).value]


class Wire:
    """Hosts the service over one transport."""

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.server: Any = None
        self.open_handlers = 0
        self._port = 0
        self._channels: list[grpc.aio.Channel] = []

    async def host(
        self,
        handlers: Mapping[Kind, Callable[..., Any]],
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        """Starts a server with these functions as handlers."""
        if self.transport == "in_process":
            self.server = InProcessServer("test", interceptors)
        else:
            limits = [(f"grpc.max_{way}_message_length", MAX_MESSAGE_BYTES) for way in ("send", "receive")]
            self.server = grpc.aio.server(interceptors=list(interceptors), options=[*limits, *SERVER_OPTIONS])
            self._port = self.server.add_insecure_port(f"127.0.0.1:{self._port}")
        made = {
            METHODS[kind]: getattr(grpc, f"{kind.name.lower()}_rpc_method_handler")(
                function, StringValue.FromString, StringValue.SerializeToString
            )
            for kind, function in handlers.items()
        }
        # Both, as generated code does; older releases of grpc.aio know only the first.
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, made),))
        self.server.add_registered_method_handlers(SERVICE, made)
        await self.server.start()

    def stub(self, interceptors: Sequence[grpc.aio.ClientInterceptor] = ()) -> Stub:
        """Opens a channel to the server."""
        local = self.server if self.transport == "in_process" else None
        channel = open_channel(f"127.0.0.1:{self._port}", service=SERVICE, interceptors=interceptors, local=local)
        self._channels.append(channel)
        return Stub(channel)

    async def begin(self, handlers: Mapping[Kind, Callable[..., Any]]) -> Stub:
        """Hosts the handlers and opens a channel to them."""
        await self.host(handlers)
        return self.stub()

    def four(self, body: Body) -> dict[Kind, Callable[..., Any]]:
        """Returns a handler of each kind that reads one message, runs `body`, and answers with the same message."""

        async def counted(value: str, context: Any) -> None:
            self.open_handlers += 1
            try:
                await body(value, context)
            finally:
                self.open_handlers -= 1

        async def unary_unary(request: StringValue, context: Any) -> StringValue:
            await counted(request.value, context)
            return request

        async def unary_stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
            await counted(request.value, context)
            yield request

        async def stream_unary(requests: AsyncIterator[StringValue], context: Any) -> StringValue:
            request = await anext(aiter(requests))
            await counted(request.value, context)
            return request

        async def stream_stream(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
            request = await anext(aiter(requests))
            await counted(request.value, context)
            yield request

        return {
            Kind.UNARY_UNARY: unary_unary,
            Kind.UNARY_STREAM: unary_stream,
            Kind.STREAM_UNARY: stream_unary,
            Kind.STREAM_STREAM: stream_stream,
        }

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()
        if self.server is not None:
            await self.server.stop(None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bounds every test of this folder, so that what hangs fails."""
    for item in items:
        if item.path.parent == HERE and isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _bounded(item.obj)


def _bounded(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def bounded(*args: Any, **kwargs: Any) -> None:
        async with asyncio.timeout(10):
            await test(*args, **kwargs)

    return bounded


@pytest.fixture(params=list(Kind), ids=lambda kind: kind.name.lower())
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture(params=["in_process", "tcp"])
async def wire(request: pytest.FixtureRequest) -> AsyncIterator[Wire]:
    before = asyncio.all_tasks()
    hosted = Wire(request.param)
    yield hosted
    async with asyncio.timeout(5):
        await hosted.close()
        while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
            await asyncio.wait(left)
    assert hosted.open_handlers == 0, "a handler outlived its server"


@pytest.fixture
def unused() -> Callable[..., Awaitable[None]]:
    """A handler's body that does nothing."""

    async def body(value: str, context: Any) -> None:
        return None

    return body
