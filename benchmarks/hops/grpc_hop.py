"""One process of a bare grpc.aio chain: the last one works, those before it pass calls on.

It has grpcio's default options, no interceptors, no log and no store: the least that three services can cost.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final, Protocol

import grpc
import uvloop
from google.protobuf.wrappers_pb2 import StringValue

from benchmarks.hops.ready import announce, parse
from benchmarks.work import work

SERVICE: Final = "benchmark.Hop"
CODEC: Final = (StringValue.SerializeToString, StringValue.FromString)
TIMEOUT: Final = 60.0


class Hop(Protocol):
    """Represents what each process of the chain serves."""

    async def execute(self, request: StringValue, context: Any) -> StringValue:
        """Returns all tokens at once."""

    def stream(self, request: StringValue, context: Any) -> AsyncGenerator[StringValue]:
        """Yields tokens as they are made."""


class Worker:
    """Does the work itself."""

    async def execute(self, request: StringValue, context: Any) -> StringValue:
        """Returns all tokens at once."""
        async with aclosing(work(request.value)) as tokens:
            return StringValue(value="".join([token async for token in tokens]))

    async def stream(self, request: StringValue, context: Any) -> AsyncGenerator[StringValue]:
        """Yields tokens as they are made."""
        async with aclosing(work(request.value)) as tokens:
            async for token in tokens:
                yield StringValue(value=token)


class Relay:
    """Passes calls on to the next hop."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._execute = channel.unary_unary(f"/{SERVICE}/Execute", *CODEC)
        self._stream = channel.unary_stream(f"/{SERVICE}/Stream", *CODEC)

    async def execute(self, request: StringValue, context: Any) -> StringValue:
        """Returns the next hop's answer."""
        answer: StringValue = await self._execute(request, timeout=TIMEOUT)
        return answer

    async def stream(self, request: StringValue, context: Any) -> AsyncGenerator[StringValue]:
        """Yields the next hop's tokens."""
        call = self._stream(request, timeout=TIMEOUT)
        try:
            async for token in call:
                yield token
        finally:
            call.cancel()


def handlers(hop: Hop) -> grpc.GenericRpcHandler:
    """Returns the service for a server."""
    answer, read = StringValue.SerializeToString, StringValue.FromString
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Execute": grpc.unary_unary_rpc_method_handler(hop.execute, read, answer),
            "Stream": grpc.unary_stream_rpc_method_handler(hop.stream, read, answer),
        },
    )


async def main() -> None:
    """Serves until SIGTERM."""
    arguments = parse()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        hop: Hop = Worker()
        if arguments.next_hop:
            hop = Relay(await stack.enter_async_context(grpc.aio.insecure_channel(arguments.next_hop)))
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handlers(hop),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, 1.0)
        announce(arguments.ready_file, f"127.0.0.1:{port}")
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main())
