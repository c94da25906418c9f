"""Recording runs: one RecordRuns call in flight, and what comes meanwhile goes into the next."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from penstock.run_log.absence import Absence
from penstock.run_log.pace import Pace
from penstock.v1.run_log_pb2 import (
    ReadRunsRequest,
    RecordRunsEntry,
    RecordRunsRequest,
    RecordRunsResult,
    RunName,
    RunRecord,
)
from penstock.wire.errors import PenstockError, Unavailable
from penstock.wire.status import from_inner_error
from penstock.wire.tracing_parents import linking

if TYPE_CHECKING:
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

logger = logging.getLogger(__name__)

_BATCH_BYTES: Final = 3 * 1024 * 1024
_BATCH_RUNS: Final = 256
# Under load new runs wait so long for others, as their tokens will.
_TICK_SECONDS: Final = 0.002
# After these it isn't known whether the store did what was asked; after any other it did not.
_UNCLEAR: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


# Where replicas are to confirm a run, it is asked for again so far apart, and for so long: less than callers wait.
_CONFIRM_PAUSE_S: Final = (0.02, 0.5)
_CONFIRM_S: Final = 5.0

# How often, and how far apart, a run is looked for whose answer was lost: the call may be late, but not for ever.
_LOOKS: Final = 3
_LOOK_SECONDS: Final = 1.0


@dataclass(slots=True, eq=False)
class _Waiting:
    entry: RecordRunsEntry
    future: asyncio.Future[RecordRunsResult]


class Recorder:
    """Gathers new runs into RecordRuns calls.

    `on_recorded` gets the record of every run that is there, whether or not its caller still waits: no run may hang on
    an owner who never heard of it. When an answer is lost, nobody knows whether the run was recorded, and claimed for
    this process. The caller is told at once that it failed; here the run is looked for once the state layer answers
    again.
    """

    def __init__(self, stub: RunLogServiceAsyncStub, on_recorded: Callable[[RunRecord], None]) -> None:
        self._stub = stub
        self._on_recorded = on_recorded
        self._waiting: list[_Waiting] = []
        # Tenant and run id → how often the run was looked for; the entries themselves may be large.
        self._unclear: dict[tuple[str, str], int] = {}
        self._wake = asyncio.Event()
        self._doubt = asyncio.Event()
        self._absence = Absence(
            logger, "it is not clear whether runs were recorded", "runs of which it was not clear are looked for again"
        )

    async def record(self, entry: RecordRunsEntry) -> RecordRunsResult:
        """Records a run and returns what came of it, once that is as durable as the run asks for.

        Raises:
            Unavailable: the run is there, but not as durable yet; its driver goes on, and the same key finds it.
            PenstockError: the state layer did not answer, or refused the call.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _CONFIRM_S
        first = result = await self._ask(entry)
        pause, longest = _CONFIRM_PAUSE_S
        while result.HasField("record") and not result.durable:
            if loop.time() + pause > give_up_at:
                raise Unavailable(
                    f"too few replicas have confirmed that run {entry.run_id} is recorded; ask again with the same key",
                    reason="NOT_DURABLE",
                    retry_after=longest,
                )
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)
            result = await self._ask(entry)
        if result.HasField("record"):
            # A repeat finds the run that the first call made.
            result.outcome = first.outcome
        return result

    async def _ask(self, entry: RecordRunsEntry) -> RecordRunsResult:
        future: asyncio.Future[RecordRunsResult] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(entry, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Sends what waits, for ever."""
        pace = Pace(_TICK_SECONDS)
        while True:
            await self._wake.wait()
            await pace.wait()
            self._wake.clear()
            while batch := self._take():
                await self._send(batch)

    async def resolve_doubts(self) -> None:
        """Looks for the runs whose answer was lost, for ever."""
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            while self._unclear:
                await asyncio.sleep(_LOOK_SECONDS)
                await self._look()

    async def _look(self) -> None:
        looked_for = list(islice(self._unclear, _BATCH_RUNS))
        request = ReadRunsRequest(runs=[RunName(tenant=tenant, run_id=run_id) for tenant, run_id in looked_for])
        try:
            response = await self._stub.ReadRuns(request, timeout=5.0)
        except grpc.aio.AioRpcError as error:
            self._absence.failed(error)
            return
        self._absence.over()
        found = {(record.tenant, record.run.run_id): record for record in response.records}
        left_out = {(name.tenant, name.run_id) for name in response.left_out}
        for name in looked_for:
            looks = self._unclear.pop(name)
            if name in found:
                self._on_recorded(found[name])
            elif name in left_out:
                self._unclear[name] = looks
            elif looks + 1 < _LOOKS:
                self._unclear[name] = looks + 1

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < _BATCH_RUNS:
            size += self._waiting[0].entry.ByteSize()
            if batch and size > _BATCH_BYTES:
                break
            batch.append(self._waiting.pop(0))
        return batch

    async def _send(self, batch: list[_Waiting]) -> None:
        request = RecordRunsRequest(entries=[waiting.entry for waiting in batch])
        try:
            with linking(waiting.entry.traceparent for waiting in batch):
                response = await self._stub.RecordRuns(request, timeout=10.0)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and len(batch) > 1:
                # Together the answers were too large for one message; one alone always fits.
                for waiting in batch:
                    await self._send([waiting])
                return
            self._fail(batch, from_inner_error(error), unclear=error.code() in _UNCLEAR)
            return
        for waiting, result in zip(batch, response.results, strict=True):
            if result.HasField("record"):
                self._on_recorded(result.record)
            if not waiting.future.done():
                waiting.future.set_result(result)

    def _fail(self, batch: list[_Waiting], error: PenstockError, *, unclear: bool) -> None:
        for waiting in batch:
            if unclear:
                self._unclear[waiting.entry.tenant, waiting.entry.run_id] = 0
            if not waiting.future.done():
                waiting.future.set_exception(error)
        self._doubt.set()
