"""A running state layer, and the stubs to call it with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc.aio

from penstock.interceptors.errors import errors
from penstock.state.layer import StateLayer, open_state
from penstock.state.settings import StateSettings
from penstock.v1 import (
    event_pb2_grpc,
    limit_pb2_grpc,
    ownership_pb2_grpc,
    run_log_pb2_grpc,
    session_pb2_grpc,
    state_pb2_grpc,
)
from penstock.wire.around import Around
from penstock.wire.errors import PenstockError
from penstock.wire.in_process import InProcessChannel, InProcessServer
from penstock.wire.status import from_rpc_error

if TYPE_CHECKING:
    from penstock.v1.event_pb2_grpc import EventServiceAsyncStub
    from penstock.v1.limit_pb2_grpc import LimitServiceAsyncStub
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub
    from penstock.v1.session_pb2_grpc import SessionServiceAsyncStub
    from penstock.v1.state_pb2_grpc import StateServiceAsyncStub


@dataclass(frozen=True, slots=True)
class House:
    """Holds a state layer and the stubs of its services."""

    layer: StateLayer
    log: RunLogServiceAsyncStub
    owner: OwnershipServiceAsyncStub
    values: StateServiceAsyncStub
    sessions: SessionServiceAsyncStub
    events: EventServiceAsyncStub
    limits: LimitServiceAsyncStub


@asynccontextmanager
async def open_house(settings: StateSettings) -> AsyncGenerator[House]:
    """Serves a state layer behind the in-process channel for the block."""
    async with open_state(settings) as layer:
        server = InProcessServer("state", interceptors=[Around(errors)])
        run_log_pb2_grpc.add_RunLogServiceServicer_to_server(layer.run_log, server)
        ownership_pb2_grpc.add_OwnershipServiceServicer_to_server(layer.ownership, server)
        state_pb2_grpc.add_StateServiceServicer_to_server(layer.values, server)
        session_pb2_grpc.add_SessionServiceServicer_to_server(layer.sessions, server)
        event_pb2_grpc.add_EventServiceServicer_to_server(layer.events, server)
        limit_pb2_grpc.add_LimitServiceServicer_to_server(layer.limits, server)
        await server.start()
        try:
            async with InProcessChannel(server) as channel:
                yield House(
                    layer,
                    run_log_pb2_grpc.RunLogServiceStub(channel),
                    ownership_pb2_grpc.OwnershipServiceStub(channel),
                    state_pb2_grpc.StateServiceStub(channel),
                    session_pb2_grpc.SessionServiceStub(channel),
                    event_pb2_grpc.EventServiceStub(channel),
                    limit_pb2_grpc.LimitServiceStub(channel),
                )
        finally:
            await server.stop(None)


def error_of(raised: grpc.aio.AioRpcError) -> PenstockError:
    """Returns the error behind a failed call."""
    return from_rpc_error(raised)
