"""A collector that takes whatever is exported by OTLP over gRPC and keeps nothing, as cheap as one can be.

It prints the name of each service that it was called for, once: so a measurement can tell that something came.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any, Final

import grpc
import uvloop

from benchmarks.hops.ready import announce, parse

SERVICES: Final = "opentelemetry.proto.collector."
NOTHING_REJECTED: Final = b""  # each export's response, when all was taken, is an empty message


class Collector(grpc.GenericRpcHandler):
    """Takes each export, unread."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self._take)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Returns what handles a call; None for what no exporter calls."""
        service = handler_call_details.method.removeprefix("/").partition("/")[0]
        if not service.startswith(SERVICES):
            return None
        if service not in self._seen:
            self._seen.add(service)
            print(service, flush=True)
        return self._handler

    async def _take(self, request: bytes, context: Any) -> bytes:
        return NOTHING_REJECTED


async def main() -> None:
    """Serves until SIGTERM."""
    arguments = parse()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Collector(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    announce(arguments.ready_file, f"127.0.0.1:{port}")
    await stop.wait()
    await server.stop(1.0)


if __name__ == "__main__":
    uvloop.run(main())
