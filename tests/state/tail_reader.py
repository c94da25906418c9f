"""Following runs from a test: one stream, and what came by it of each tail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc.aio

from penstock.v1 import run_log_pb2 as pb
from tests.state import entries as e
from tests.state.house import House

PLENTY = 1 << 20


class Reader:
    """Writes requests to a TailEvents stream and sorts its news by tail."""

    def __init__(self, call: grpc.aio.StreamStreamCall[pb.TailEventsRequest, pb.TailEventsResponse]) -> None:
        self.call = call
        self.batches: dict[int, list[pb.TailBatch]] = {}
        self.responses: list[pb.TailEventsResponse] = []

    async def open(self, tail_id: int, run_id: str, *, credit: int = PLENTY, **cursor: object) -> None:
        opening = pb.TailOpen(tail_id=tail_id, tenant=e.TENANT, run_id=run_id, credit_bytes=credit, **cursor)  # type: ignore[arg-type] # passed through
        await self.call.write(pb.TailEventsRequest(opens=[opening]))

    async def give(self, tail_id: int, credit: int) -> None:
        await self.call.write(pb.TailEventsRequest(credits=[pb.TailCredit(tail_id=tail_id, credit_bytes=credit)]))

    async def next(self) -> pb.TailEventsResponse:
        response = await self.call.read()
        assert isinstance(response, pb.TailEventsResponse), "the stream has ended"
        self.responses.append(response)
        for batch in response.batches:
            self.batches.setdefault(batch.tail_id, []).append(batch)
        return response

    def sequences(self, tail_id: int) -> list[int]:
        return [event.sequence for batch in self.batches.get(tail_id, []) for event in batch.events]

    async def until(self, tail_id: int, sequence: int) -> None:
        while sequence not in self.sequences(tail_id):
            await self.next()

    async def closed(self, tail_id: int) -> pb.TailBatch:
        while not (self.batches.get(tail_id) and self.batches[tail_id][-1].closed):
            await self.next()
        return self.batches[tail_id][-1]


@asynccontextmanager
async def reading(house: House) -> AsyncGenerator[Reader]:
    call = house.log.TailEvents()
    try:
        async with asyncio.timeout(10):
            yield Reader(call)
    finally:
        call.cancel()
