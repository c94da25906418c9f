"""A gateway that breaks its promises in ways in which the real one can't be made to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc

from penstock.v1.gateway_pb2 import (
    AttachRunRequest,
    AttachRunResponse,
    ExecuteRunRequest,
    ExecuteRunResponse,
    StreamRunRequest,
    StreamRunResponse,
)
from penstock.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from penstock.wire.errors import PenstockError
from penstock.wire.status import code_of, to_status, trailing_details

Message = TypeVar("Message", StreamRunResponse, AttachRunResponse)


@dataclass
class Scripted(GatewayServiceServicer):
    """Answers each stream with what was written for it, then as it was told to end; `then` plays to later calls."""

    pieces: Sequence[StreamRunResponse] = ()
    stays_open: bool = False
    abort: grpc.StatusCode | PenstockError | None = None
    then: "Scripted | None" = None
    asked: list[StreamRunRequest | AttachRunRequest | ExecuteRunRequest] = field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = field(default_factory=list)
    remaining: list[float | None] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def StreamRun(  # noqa: N802 - the rpc's name
        self, request: StreamRunRequest, context: Any
    ) -> AsyncIterator[StreamRunResponse]:
        """Plays the script."""
        async with aclosing(self._now(request, context)._play(context, StreamRunResponse)) as messages:
            async for message in messages:
                yield message

    async def AttachRun(  # noqa: N802 - the rpc's name
        self, request: AttachRunRequest, context: Any
    ) -> AsyncIterator[AttachRunResponse]:
        """Plays the script."""
        async with aclosing(self._now(request, context)._play(context, AttachRunResponse)) as messages:
            async for message in messages:
                yield message

    async def ExecuteRun(  # noqa: N802 - the rpc's name
        self, request: ExecuteRunRequest, context: Any
    ) -> ExecuteRunResponse:
        """Plays the script, of which the last piece's run is the answer."""
        run = None
        async for piece in self._now(request, context)._play(context, StreamRunResponse):
            run = piece.run
        return ExecuteRunResponse(run=run)

    def _now(self, request: StreamRunRequest | AttachRunRequest | ExecuteRunRequest, context: Any) -> "Scripted":
        self.asked.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.remaining.append(context.time_remaining())
        self.came.set()
        act: Scripted = self
        for _ in self.asked[1:]:
            act = act.then or act
        return act

    async def _play(self, context: Any, message: type[Message]) -> AsyncGenerator[Message]:
        try:
            for piece in self.pieces:
                yield message.FromString(piece.SerializeToString())
            if self.stays_open:
                await asyncio.Event().wait()
            if isinstance(self.abort, PenstockError):
                status = to_status(self.abort)
                await context.abort(code_of(self.abort), status.message, (trailing_details(status),))
            elif self.abort is not None:
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
