"""State processes under test, and the stubs to call them with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio

from penstock.v1 import event_pb2_grpc, ownership_pb2_grpc, run_log_pb2_grpc, session_pb2_grpc, state_pb2_grpc
from tests.topologies.mesh import Daemon

if TYPE_CHECKING:
    from penstock.v1.event_pb2_grpc import EventServiceAsyncStub
    from penstock.v1.ownership_pb2_grpc import OwnershipServiceAsyncStub
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub
    from penstock.v1.session_pb2_grpc import SessionServiceAsyncStub
    from penstock.v1.state_pb2_grpc import StateServiceAsyncStub

# A process that comes back is found at once, so that the time it is away is that of its restart; the second is for how
# long one attempt to connect may last, on a machine that has much to do.
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
]


@dataclass(frozen=True, slots=True)
class Door:
    """Holds the stubs of one state process, under the names that a house has them by."""

    address: str
    log: RunLogServiceAsyncStub
    owner: OwnershipServiceAsyncStub
    values: StateServiceAsyncStub
    sessions: SessionServiceAsyncStub
    events: EventServiceAsyncStub


@asynccontextmanager
async def open_door(address: str) -> AsyncGenerator[Door]:
    """Opens a channel to a state process, or to what stands before it, for the block."""
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        yield Door(
            address,
            run_log_pb2_grpc.RunLogServiceStub(channel),
            ownership_pb2_grpc.OwnershipServiceStub(channel),
            state_pb2_grpc.StateServiceStub(channel),
            session_pb2_grpc.SessionServiceStub(channel),
            event_pb2_grpc.EventServiceStub(channel),
        )


@dataclass(frozen=True, slots=True)
class Replica:
    """Represents a state process and the way to it."""

    daemon: Daemon
    door: Door

    async def crash(self) -> None:
        """Kills the process and starts it again at the same address."""
        await self.daemon.kill()
        await self.daemon.start()


@asynccontextmanager
async def open_replicas(urls: list[str], directory: Path, **environment: str) -> AsyncGenerator[list[Replica]]:
    """Starts one state process for each URL, and ends them with the block."""
    async with AsyncExitStack() as stack:
        replicas = []
        for number, url in enumerate(urls, 1):
            daemon = Daemon(
                f"state-{number}",
                ["--layers", "state", "--state", url],
                directory,
                environment={"PENSTOCK_LOG__LEVEL": "warning", **environment},
            )
            await daemon.start()
            stack.push_async_callback(daemon.kill)
            replicas.append(Replica(daemon, await stack.enter_async_context(open_door(daemon.listen))))
        yield replicas
