"""A running state layer, and the stubs to call it with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc.aio

from penstock.interceptors.errors import errors
from penstock.server.address import Address
from penstock.server.host import listening_server
from penstock.server.services import add_services
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
from penstock.wire.channel import CHANNEL_OPTIONS
from penstock.wire.decode import GuardedDecode
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
    address: str
    """Where it listens; empty: only in this process."""

    log: RunLogServiceAsyncStub
    owner: OwnershipServiceAsyncStub
    values: StateServiceAsyncStub
    sessions: SessionServiceAsyncStub
    events: EventServiceAsyncStub
    limits: LimitServiceAsyncStub


@asynccontextmanager
async def open_house(
    settings: StateSettings, *, over_tcp: bool = False, change: Callable[[StateLayer], StateLayer] = lambda layer: layer
) -> AsyncGenerator[House]:
    """Serves a state layer for the block, behind the in-process channel or a real listener.

    `change` may exchange parts of the layer, to see that the tests notice.
    """
    async with AsyncExitStack() as stack:
        layer = change(await stack.enter_async_context(open_state(settings)))
        interceptors = [Around(errors), GuardedDecode()]
        channel: grpc.aio.Channel
        where = ""
        if over_tcp:
            served, address = listening_server(Address.parse("127.0.0.1:0"), interceptors, door=False)
            where = address.target
            channel = grpc.aio.insecure_channel(where, options=CHANNEL_OPTIONS)
        else:
            served = InProcessServer("state", interceptors=interceptors)
            channel = InProcessChannel(served)
        add_services("state", layer, served)
        await served.start()
        stack.push_async_callback(served.stop, None)
        await stack.enter_async_context(channel)
        yield _house(layer, where, channel)


@asynccontextmanager
async def visiting(house: House, address: str) -> AsyncGenerator[House]:
    """Gives other stubs for a house that listens, by way of an address such as a proxy's."""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield _house(house.layer, address, channel)


def _house(layer: StateLayer, address: str, channel: grpc.aio.Channel) -> House:
    return House(
        layer,
        address,
        run_log_pb2_grpc.RunLogServiceStub(channel),
        ownership_pb2_grpc.OwnershipServiceStub(channel),
        state_pb2_grpc.StateServiceStub(channel),
        session_pb2_grpc.SessionServiceStub(channel),
        event_pb2_grpc.EventServiceStub(channel),
        limit_pb2_grpc.LimitServiceStub(channel),
    )


def error_of(raised: grpc.aio.AioRpcError) -> PenstockError:
    """Returns the error behind a failed call."""
    return from_rpc_error(raised)
