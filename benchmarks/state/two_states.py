"""Two state processes over one Redis, as a mesh has them: runs are written through one and read at the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import Served, serve, stop
from benchmarks.state.house import House
from benchmarks.systems import PENSTOCKD
from penstock.v1.ownership_pb2_grpc import OwnershipServiceStub
from penstock.v1.run_log_pb2_grpc import RunLogServiceStub
from penstock.wire.channel import open_channel

_RUN_LOG = "penstock.v1.RunLogService"
_OWNERSHIP = "penstock.v1.OwnershipService"


@dataclass(frozen=True, slots=True)
class TwoStates:
    """Holds the two processes, and what to call them by."""

    url: str
    writing: Served
    following: Served
    writer: House
    follower: House


@asynccontextmanager
async def open_two_states(url: str, home: Path) -> AsyncGenerator[TwoStates]:
    """Serves a store by two processes for the block."""
    async with AsyncExitStack() as stack:
        served: list[Served] = []
        houses: list[House] = []
        for name in ("writing", "following"):
            program = [PENSTOCKD, "--layers=state", "--listen=127.0.0.1:0", f"--state={url}"]
            process = await serve(name, program, home)
            stack.push_async_callback(stop, process.process)
            channel = open_channel(process.address, service=_RUN_LOG, more_services=[_OWNERSHIP])
            await stack.enter_async_context(channel)
            served.append(process)
            houses.append(House(RunLogServiceStub(channel), OwnershipServiceStub(channel)))
        yield TwoStates(url, served[0], served[1], houses[0], houses[1])
