"""A thousand followers of a thousand runs: what each costs, and what one that stops reading does to the others."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from benchmarks import memory
from benchmarks.state.following import Seen, token
from benchmarks.state.house import TENANT, House
from benchmarks.state.workloads import Bench, Metrics
from penstock.v1.run_log_pb2 import ReadEventsRequest, ReadEventsResponse, TailBatch, TailEventsResponse

FOLLOWERS: Final = 1000
BATCH: Final = 100
PHASES: Final = 6


async def followers(bench: Bench) -> Metrics:
    """Each follower has a stream of its own; every second phase one of them doesn't read."""
    runs = await bench.begin(FOLLOWERS)
    gc.collect()
    before = memory.of_process(os.getpid())
    async with _read_by_many(bench.house, runs) as readers:
        gc.collect()
        size = (memory.of_process(os.getpid()) - before) / FOLLOWERS
        late: dict[bool, list[float]] = {False: [], True: []}
        for phase in range(PHASES):
            stopped = bool(phase % 2)
            readers.hold_up_one(stopped)
            del readers.seen.late_ms[:]
            until = time.monotonic() + bench.seconds / PHASES
            while time.monotonic() < until:
                for first in range(0, FOLLOWERS, BATCH):
                    await bench.house.append(runs[first : first + BATCH], token())
                    await asyncio.sleep(0.01)
            late[stopped] += readers.seen.late_ms
        readers.hold_up_one(False)
    p99 = {stopped: sorted(values)[int(len(values) * 0.99)] for stopped, values in late.items()}
    return {
        "follower_kb": size,
        "p99_ms": p99[False],
        "p99_beside_stopped_ms": p99[True],
        "stopped_ratio": p99[True] / p99[False],
    }


class _Readers:
    def __init__(self, count: int) -> None:
        self.seen = Seen()
        self.all_at_work = asyncio.Event()
        self._waiting = count
        self._go_on = asyncio.Event()
        self._go_on.set()

    def hold_up_one(self, stopped: bool) -> None:
        """Has the first of them stop, or go on."""
        (self._go_on.clear if stopped else self._go_on.set)()

    async def read(self, house: House, run: str, *, first: bool) -> None:
        """Follows one run on a stream of its own."""
        request = ReadEventsRequest(tenant=TENANT, run_id=run, follow=True)
        begun = False
        async for response in house.log.ReadEvents(request):
            if not begun:
                begun = True
                self._begun()
            if first:
                await self._go_on.wait()
            else:
                self._take(response)

    def _begun(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self.all_at_work.set()

    def _take(self, response: ReadEventsResponse) -> None:
        self.seen.take(TailEventsResponse(batches=[TailBatch(events=response.events)]))


@asynccontextmanager
async def _read_by_many(house: House, runs: Sequence[str]) -> AsyncGenerator[_Readers]:
    readers = _Readers(len(runs))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(readers.read(house, run, first=run == runs[0])) for run in runs]
        async with asyncio.timeout(60):
            await readers.all_at_work.wait()
        try:
            yield readers
        finally:
            for task in tasks:
                task.cancel()
