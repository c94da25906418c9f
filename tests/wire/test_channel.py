"""What `open_channel` promises over TCP, seen on real connections."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from penstock.wire.channel import open_channel
from penstock.wire.in_process import InProcessChannel, InProcessServer
from tests.stores.ports import free_ports

SERVICE = "penstock.conformance.Wire"
READ = f"/{SERVICE}/Read"


@asynccontextmanager
async def serving(handler: Any, port: int = 0) -> AsyncIterator[int]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    made = grpc.unary_unary_rpc_method_handler(handler, StringValue.FromString, StringValue.SerializeToString)
    methods = {"Read": made, "UnaryUnary": made}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)


def method(channel: grpc.aio.Channel, path: str = READ) -> Any:
    return channel.unary_unary(path, StringValue.SerializeToString, StringValue.FromString)


async def echo(request: StringValue, context: Any) -> StringValue:
    return request


async def test_a_local_server_gives_an_in_process_channel() -> None:
    channel = open_channel("nowhere:1", service=SERVICE, local=InProcessServer())
    assert isinstance(channel, InProcessChannel)
    await channel.close()


async def test_a_malformed_target_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="write host:port"):
        open_channel("nowhere", service=SERVICE)


async def test_reads_are_retried_and_other_calls_are_not() -> None:
    calls = Counter[str]()

    async def unavailable_once(request: StringValue, context: Any) -> StringValue:
        calls[request.value] += 1
        if calls[request.value] == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "once")
        return request

    async with serving(unavailable_once) as port, open_channel(f"127.0.0.1:{port}", service=SERVICE) as channel:
        assert (await method(channel)(StringValue(value="read"), timeout=5)).value == "read"
        with pytest.raises(grpc.aio.AioRpcError, match="once"):
            await method(channel, f"/{SERVICE}/UnaryUnary")(StringValue(value="write"), timeout=5)
    assert calls == {"read": 2, "write": 1}


async def test_calls_are_spread_over_several_addresses() -> None:
    peers = Counter[str]()

    def counting(name: str) -> Any:
        async def handler(request: StringValue, context: Any) -> StringValue:
            peers[name] += 1
            return request

        return handler

    async with (
        serving(counting("a")) as one,
        serving(counting("b")) as two,
        open_channel(f"127.0.0.1:{one},127.0.0.1:{two}", service=SERVICE) as channel,
        asyncio.timeout(10),
    ):
        while len(peers) < 2:
            await method(channel)(StringValue(), wait_for_ready=True)


async def test_a_restarted_peer_is_found_again_within_three_seconds() -> None:
    (port,) = free_ports(1)
    async with serving(echo, port):
        channel = open_channel(f"localhost:{port}", service=SERVICE)
        assert await method(channel)(StringValue(value="before"), timeout=5)
    for _ in range(3):  # so that the channel has begun to back off
        with pytest.raises(grpc.aio.AioRpcError):
            await method(channel)(StringValue(), timeout=1)
    async with serving(echo, port), asyncio.timeout(3):
        assert (await method(channel)(StringValue(value="after"), wait_for_ready=True)).value == "after"
    await channel.close()


async def test_a_unix_socket_is_a_target(tmp_path: Any) -> None:
    server = grpc.aio.server()
    made = grpc.unary_unary_rpc_method_handler(echo, StringValue.FromString, StringValue.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Read": made}),))
    server.add_insecure_port(f"unix:{tmp_path}/s")
    await server.start()
    async with open_channel(f"unix:{tmp_path}/s", service=SERVICE) as channel:
        assert (await method(channel)(StringValue(value="here"), timeout=5)).value == "here"
    await server.stop(None)
