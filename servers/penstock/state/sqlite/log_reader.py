"""Reading one run's log: what is committed, from any place on."""

import sqlite3
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

from penstock.state.log.event_rules import STREAMED
from penstock.state.log.head import is_terminal
from penstock.state.sqlite.hub import Hub
from penstock.state.sqlite.journal import Journal
from penstock.state.sqlite.log_rows import entries_from
from penstock.state.sqlite.recent import RecentRuns
from penstock.state.sqlite.run_rows import LAST_SEQUENCE, read_signals
from penstock.state.stores import LogPiece, LogState
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import PendingSignal, ReadEventsResponse, RunRecord
from penstock.v1.run_pb2 import Run
from penstock.wire.errors import NotFound

_STATE = f"SELECT state, {LAST_SEQUENCE}, first_sequence FROM runs WHERE number = ?"
_SUMMARY = f"SELECT summary, head, {LAST_SEQUENCE} FROM runs JOIN specs ON run = number WHERE number = ?"


class SqliteRunLog:
    """Reads the log of one run."""

    def __init__(
        self,
        reader: sqlite3.Connection,
        journal: Journal,
        hub: Hub,
        recent: RecentRuns,
        number: int,
        name: tuple[str, str],
        generation: int,
    ) -> None:
        self.generation = generation
        self._reader = reader
        self._journal = journal
        self._hub = hub
        self._recent = recent
        self._number = number
        self._tenant, self._run_id = name

    async def state(self) -> LogState:
        """See RunLog."""
        known = self._recent.get(self._tenant, self._run_id)
        if known is not None:
            return known.state
        state, last, first = self._row(_STATE)
        return LogState(last_sequence=last, finished=is_terminal(state), first_sequence=first)

    async def run(self) -> Run:
        """See RunLog."""
        summary, head, last = self._row(_SUMMARY)
        run = RunRecord.FromString(summary + head).run
        run.last_sequence = run.durable_sequence = last
        return run

    async def read(self, after: int, last: int, *, lifecycle_only: bool, max_bytes: int) -> LogPiece:
        """See RunLog."""
        events: list[RunEvent] = []
        size = 0
        with closing(self._chunks(after + 1, lifecycle_only)) as chunks:
            for chunk in chunks:
                for event in chunk:
                    if event.sequence <= after or (lifecycle_only and event.WhichOneof("event") in STREAMED):
                        continue
                    event_size = event.ByteSize()
                    if events and size + event_size > max_bytes:
                        return LogPiece(events, events[-1].sequence, size)
                    events.append(event)
                    size += event_size
                    if size >= max_bytes:
                        return LogPiece(events, event.sequence, size)
        return LogPiece(events, max(last, events[-1].sequence) if events else last, size)

    def _row(self, query: str) -> Any:
        row = self._reader.execute(query, (self._number,)).fetchone()
        if row is None:
            raise NotFound.named("run", self._run_id)  # removed while it was read
        return row

    def _chunks(self, first: int, lifecycle_only: bool) -> Generator[Sequence[RunEvent]]:
        known = self._recent.get(self._tenant, self._run_id)
        if known is not None and known.reaches_back_to(first):
            for chunk in known.since(first):
                if chunk.lifecycle or not lifecycle_only:
                    yield chunk.events
            return
        with closing(entries_from(self._reader, self._number, first)) as moved:
            for entry in chain(moved, self._journal.since(self._number, first)):
                if entry.lifecycle or not lifecycle_only:
                    yield ReadEventsResponse.FromString(entry.events).events

    async def signals(self, after: int) -> Sequence[PendingSignal]:
        """See RunLog."""
        return read_signals(self._reader, self._number, after)

    async def last_common_sequence(self, generation: int) -> int:
        """See RunLog."""
        if generation > self.generation:
            return 0  # a history that this store has never had
        # What a newer one kept of this history, one newer still may have lost.
        (common,) = self._reader.execute(
            "SELECT min(last_common) FROM bases WHERE run = ? AND generation > ?", (self._number, generation)
        ).fetchone()
        return int(common or 0)

    def watch(self, wake: Callable[[], None], *, lifecycle_only: bool) -> Callable[[], None]:
        """See RunLog."""
        return self._hub.watch(self._tenant, self._run_id, wake, lifecycle_only=lifecycle_only)
