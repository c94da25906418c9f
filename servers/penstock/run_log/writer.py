"""Writing to run logs: one append in flight for all runs of a process, and what comes meanwhile goes into the next."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from penstock.run_log.absence import Absence
from penstock.run_log.append_telemetry import appending
from penstock.run_log.pace import Pace
from penstock.run_log.refusal import AppendRefused
from penstock.run_log.run_writer import Entry, RunWriter
from penstock.v1 import run_log_pb2
from penstock.wire.ids import random_id
from penstock.wire.status import from_inner_error

if TYPE_CHECKING:
    from penstock.v1.run_log_pb2_grpc import RunLogServiceAsyncStub

logger = logging.getLogger(__name__)

# As many as the contract allows in one call.
_MOST_ENTRIES: Final = 1000
_TAKEN: Final = frozenset({run_log_pb2.APPEND_OUTCOME_APPENDED, run_log_pb2.APPEND_OUTCOME_REPEATED})
_AGAIN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """How a LogWriter gathers and how long it holds out."""

    tick_seconds: float = 0.002
    """Under load, seconds from one append to the next at most, so that commits, wake-ups and socket writes coincide;
    an idle writer appends at once."""

    batch_bytes: int = 1792 * 1024
    """Bytes in one call before no more entries are added; the last may have a little over 2 MiB (an output of 1 MiB,
    and once more as a session's message), and a message holds 4 MiB."""

    unacknowledged_bytes: int = 1024 * 1024
    """Bytes of one run on their way before `emit` blocks."""

    stall_seconds: float | None = 30.0
    """Seconds that a writer waits for an acknowledgement before it gives up; None: it never does."""

    call_seconds: float = 10.0
    """Seconds for one call; it is repeated until it is answered."""


class LogWriter:
    """Gathers the events of many runs into AppendEvents calls (group commit).

    One call is in flight at a time. It is repeated until it is answered, which is harmless, because every entry has a
    number of its writer's. Used as an async context manager.
    """

    def __init__(self, stub: RunLogServiceAsyncStub, settings: WriterSettings | None = None) -> None:
        self._stub = stub
        self.settings = settings or WriterSettings()
        self._name = random_id("writer")
        self._numbers = count(1)
        self._dirty: dict[RunWriter, None] = {}
        self._wake = asyncio.Event()
        self._absence = Absence(
            logger, "the run log does not take what is written", "the run log takes what is written again"
        )
        self._group = asyncio.TaskGroup()
        self._loop_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LogWriter:
        await self._group.__aenter__()
        self._loop_task = self._group.create_task(self._flush_for_ever(), name="log-writer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop_task is not None:
            self._loop_task.cancel()
        # With the block's error, which is none of the group's own, the group would wrap it.
        await self._group.__aexit__(None, None, None)

    def open(
        self, *, tenant: str, run_id: str, epoch: int, step_id: str = "", attempt: int = 0, traceparent: str = ""
    ) -> RunWriter:
        """Opens the writing end of one attempt, or of a run's owner (empty step); under a name never used again."""
        return RunWriter(
            self,
            run_log_pb2.AppendEventsEntry(
                tenant=tenant,
                run_id=run_id,
                epoch=epoch,
                step_id=step_id,
                attempt=attempt,
                writer_id=f"{self._name}:{next(self._numbers)}",
                traceparent=traceparent,
            ),
        )

    def mark_dirty(self, writer: RunWriter) -> None:
        """Notes that a run has entries to be sent."""
        self._dirty[writer] = None
        self._wake.set()

    async def _flush_for_ever(self) -> None:
        pace = Pace(self.settings.tick_seconds)
        while True:
            await self._wake.wait()
            # Even when idle this waits one turn of the loop: an end follows its last token.
            await pace.wait()
            entries = self._take()
            if entries:
                await self._send(entries)

    def _take(self) -> list[Entry]:
        taken: list[Entry] = []
        room = self.settings.batch_bytes
        for writer in list(self._dirty):
            if room <= 0 or len(taken) == _MOST_ENTRIES:
                break
            del self._dirty[writer]
            entry = writer.next_entry()
            if entry is None:
                continue
            taken.append(entry)
            room -= entry.size
            # No more of it in this call: after a refused entry, none of the same writer may get into the log.
            if writer.pending:
                self._dirty[writer] = None
        if not self._dirty:
            self._wake.clear()
        return taken

    async def _send(self, entries: Sequence[Entry]) -> None:
        waiting = list(entries)
        pause = 0.02
        while waiting:
            request = run_log_pb2.AppendEventsRequest(entries=[entry.message for entry in waiting])
            try:
                with appending(waiting):
                    response = await self._stub.AppendEvents(request, timeout=self.settings.call_seconds)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN:
                    for entry in waiting:
                        entry.writer.failed(entry, from_inner_error(error))
                    return
                self._absence.failed(error)
            else:
                self._absence.over()
                waiting = [
                    entry
                    for entry, result in zip(waiting, response.results, strict=True)
                    if not self._settle(entry, result)
                ]
            waiting = [entry for entry in waiting if not entry.writer.closed]
            if waiting:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, 1.0)

    @staticmethod
    def _settle(entry: Entry, result: run_log_pb2.AppendEventsResult) -> bool:
        if result.outcome not in _TAKEN:
            entry.writer.failed(entry, AppendRefused(result.outcome, result.detail))
        elif result.durable_sequence < result.last_sequence:
            return False
        else:
            entry.writer.acknowledged(entry, result)
        return True
