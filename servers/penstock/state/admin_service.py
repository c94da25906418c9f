"""`StateAdminService`: care for the store as a whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from penstock.state.exporting import export
from penstock.state.importing import Importer
from penstock.state.stores import Store
from penstock.state.violations import MAX_BATCH, Violations
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1.state_admin_pb2_grpc import StateAdminServiceServicer

if TYPE_CHECKING:
    import grpc.aio

    Context = grpc.aio.ServicerContext[Any, Any]

_RESPONSE_BYTES: Final = 1024 * 1024


class AdminService(StateAdminServiceServicer):
    """Serves care for a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._importer = Importer(store)

    async def GetStoreStats(self, request: pb.GetStoreStatsRequest, context: Context) -> pb.GetStoreStatsResponse:
        return await self._store.care.stats()

    async def CheckStore(
        self, request: pb.CheckStoreRequest, context: Context
    ) -> AsyncGenerator[pb.CheckStoreResponse]:
        async with aclosing(self._store.care.check()) as responses:
            async for response in responses:
                yield response

    async def VacuumStore(
        self, request: pb.VacuumStoreRequest, context: Context
    ) -> AsyncGenerator[pb.VacuumStoreResponse]:
        async with aclosing(self._store.care.vacuum()) as responses:
            async for response in responses:
                yield response

    async def ExportRecords(
        self, request: pb.ExportRecordsRequest, context: Context
    ) -> AsyncGenerator[pb.ExportRecordsResponse]:
        async with aclosing(export(self._store, request.after_cursor)) as records:
            response = pb.ExportRecordsResponse()
            size = 0
            async for record in records:
                # A response stays below 4 MiB, which is what a call may carry, whatever one record holds.
                added = record.ByteSize()
                if response.records and size + added > _RESPONSE_BYTES:
                    yield response
                    response, size = pb.ExportRecordsResponse(), 0
                response.records.append(record)
                size += added
            if response.records:
                yield response

    async def ImportRecords(self, request: pb.ImportRecordsRequest, context: Context) -> pb.ImportRecordsResponse:
        violations = Violations()
        violations.count("records", len(request.records), MAX_BATCH, least=1)
        violations.raise_any()
        return pb.ImportRecordsResponse(results=[await self._importer.take(record) for record in request.records])
