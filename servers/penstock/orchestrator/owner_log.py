"""A run's log, as its owner writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.run_log.refusal import AppendRefused
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import AppendEventsResult, RunRecord
from penstock.v1.session_pb2 import SessionMessage

if TYPE_CHECKING:
    from penstock.run_log.run_writer import RunWriter
    from penstock.run_log.writer import LogWriter


class OwnerLog:
    """Appends as the owner of one run.

    A refusal is the end of a writer, but not of its owner, who may have met the last append of an executor; what the
    owner appends next goes under a new writer's name.
    """

    def __init__(self, log: LogWriter, record: RunRecord) -> None:
        self._log = log
        self._record = record
        self._writer: RunWriter | None = None

    async def append(
        self, *events: RunEvent, session_messages: Sequence[SessionMessage] = (), checkpoint: bytes | None = None
    ) -> AppendEventsResult:
        """Appends events in one atomic entry; raises AppendRefused."""
        if self._writer is None:
            record = self._record
            self._writer = self._log.open(
                tenant=record.tenant,
                run_id=record.run.run_id,
                epoch=record.epoch,
                traceparent=record.traceparent,
            )
        try:
            return await self._writer.append(*events, session_messages=session_messages, checkpoint=checkpoint)
        except AppendRefused:
            self._writer = None
            raise

    def close(self) -> None:
        """Drops what was not sent yet."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
