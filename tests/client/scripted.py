"""A gateway that breaks its promises in ways in which the real one can't be made to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from penstock.v1.gateway_pb2 import StreamRunRequest, StreamRunResponse
from penstock.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server


@dataclass
class Scripted(GatewayServiceServicer):
    """Answers StreamRun with what was written for it, then as it was told to end."""

    pieces: list[StreamRunResponse]
    stays_open: bool = False
    abort: grpc.StatusCode | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def StreamRun(  # noqa: N802 - the rpc's name
        self, request: StreamRunRequest, context: Any
    ) -> AsyncIterator[StreamRunResponse]:
        """Plays the script."""
        try:
            for piece in self.pieces:
                yield piece
            if self.stays_open:
                await asyncio.Event().wait()
            if self.abort is not None:
                await context.abort(self.abort, "as told")
        finally:
            self.left.set()


@dataclass(frozen=True)
class Stage:
    """A running scripted gateway."""

    address: str
    server: grpc.aio.Server


@asynccontextmanager
async def playing(script: Scripted) -> AsyncGenerator[Stage]:
    """Serves a script for a block."""
    server = grpc.aio.server()
    add_GatewayServiceServicer_to_server(script, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Stage(f"127.0.0.1:{port}", server)
    finally:
        await server.stop(0)
