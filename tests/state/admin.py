"""Caring for a running state layer as an operator does: through the service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.interceptors.errors import errors
from penstock.state.layer import StateLayer
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1.state_admin_pb2_grpc import StateAdminServiceStub, add_StateAdminServiceServicer_to_server
from penstock.wire.around import Around
from penstock.wire.decode import GuardedDecode
from penstock.wire.in_process import InProcessChannel, InProcessServer

if TYPE_CHECKING:
    from penstock.v1.state_admin_pb2_grpc import StateAdminServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Admin:
    """Holds the stub of the service."""

    calls: StateAdminServiceAsyncStub

    async def stats(self) -> dict[str, int]:
        """Returns the figures by name."""
        stats = await self.calls.GetStoreStats(pb.GetStoreStatsRequest())
        return {figure.name: figure.count for figure in stats.figures}

    async def problems(self) -> list[str]:
        """Returns what is wrong, by kind and in words, once everything was looked at."""
        responses = [response async for response in self.calls.CheckStore(pb.CheckStoreRequest())]
        assert responses[-1].complete
        return [f"{problem.kind} {problem.detail}" for response in responses for problem in response.problems]

    async def export(self, after: str = "") -> list[pb.StoreRecord]:
        """Returns all records after a cursor."""
        stream = self.calls.ExportRecords(pb.ExportRecordsRequest(after_cursor=after))
        return [record async for response in stream for record in response.records]

    async def take_in(self, *records: pb.StoreRecord) -> list[str]:
        """Imports records; returns the outcome of each by its short name."""
        response = await self.calls.ImportRecords(pb.ImportRecordsRequest(records=records))
        return [pb.ImportOutcome.Name(result.outcome).removeprefix("IMPORT_OUTCOME_") for result in response.results]


@asynccontextmanager
async def administered(layer: StateLayer) -> AsyncGenerator[Admin]:
    """Serves the administration of a layer for the block."""
    server = InProcessServer("state", interceptors=[Around(errors), GuardedDecode()])
    add_StateAdminServiceServicer_to_server(layer.admin, server)
    await server.start()
    async with InProcessChannel(server) as channel:
        yield Admin(StateAdminServiceStub(channel))
    await server.stop(None)
