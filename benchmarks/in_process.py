"""Compares the in-process transport with TCP: CPU microseconds (both ends) for a unary call and a streamed message.

Run `python benchmarks/in_process.py [--calls N] [--messages N] [--asyncio]`; uvloop unless told otherwise.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import uvloop
from google.protobuf.wrappers_pb2 import StringValue

from penstock.wire.around import Around, around_client
from penstock.wire.call import Call
from penstock.wire.in_process import InProcessChannel, InProcessServer

METHOD = "/benchmark.Service/"
CODEC = (StringValue.SerializeToString, StringValue.FromString)
TOKEN = StringValue(value="token of text")


@asynccontextmanager
async def nothing(call: Call) -> AsyncGenerator[None]:
    """A concern that does nothing, to see what being around a call costs."""
    yield


async def answer(request: StringValue, context: Any) -> StringValue:
    """Answers at once."""
    return request


async def count(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
    """Yields as many messages as asked for."""
    for _ in range(int(request.value)):
        yield TOKEN


@asynccontextmanager
async def transport(local: bool, concerns: int) -> AsyncGenerator[grpc.aio.Channel]:
    """Serves both methods and opens a channel to them, with this many concerns on each side."""
    around = [nothing] * concerns
    incoming = [Around(*around)] if concerns else []
    outgoing = around_client(*around) if concerns else []
    server = InProcessServer("benchmark", incoming) if local else grpc.aio.server(interceptors=incoming)
    handlers = {
        "Answer": grpc.unary_unary_rpc_method_handler(answer, StringValue.FromString, StringValue.SerializeToString),
        "Count": grpc.unary_stream_rpc_method_handler(count, StringValue.FromString, StringValue.SerializeToString),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmark.Service", handlers),))
    if isinstance(server, InProcessServer):
        await server.start()
        channel: grpc.aio.Channel = InProcessChannel(server, outgoing)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=outgoing)
    async with channel:
        yield channel
    await server.stop(None)


async def cpu(work: Callable[[int], Awaitable[None]], count: int) -> float:
    """Returns CPU microseconds for one of `count` units, the best of three."""
    await work(count // 10)
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        await work(count)
        best = min(best, time.process_time() - begin)
    return best / count * 1e6


async def compare(calls: int, messages: int) -> None:
    """Prints one line for each transport and number of concerns."""
    print("CPU µs at both ends, with serialize and parse")
    print(f"{'transport':<12}{'concerns':>9}{'unary call':>12}{'message':>9}")
    for local in (True, False):
        for concerns in (0, 4):
            async with transport(local, concerns) as channel:
                unary = channel.unary_unary(f"{METHOD}Answer", *CODEC)
                stream = channel.unary_stream(f"{METHOD}Count", *CODEC)

                async def call_often(number: int, unary: Any = unary) -> None:
                    for _ in range(number):
                        await unary(TOKEN, timeout=30)

                async def read_stream(number: int, stream: Any = stream) -> None:
                    async for _ in stream(StringValue(value=str(number))):
                        pass

                scale = 1 if local else 10
                per_call = await cpu(call_often, calls // scale)
                per_message = await cpu(read_stream, messages // scale)
                print(f"{'in-process' if local else 'tcp':<12}{concerns:>9}{per_call:>12.1f}{per_message:>9.2f}")


def main() -> None:
    """Reads the arguments and runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--asyncio", action="store_true", help="use asyncio's own event loop")
    arguments = parser.parse_args()
    run = asyncio.run if arguments.asyncio else uvloop.run
    run(compare(arguments.calls, arguments.messages))


if __name__ == "__main__":
    main()
