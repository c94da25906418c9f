"""Exporting a store: everything it holds as records, in an order in which they can be imported."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from itertools import chain
from typing import Final

from penstock.state.care import RecordKind, RecordName, StoreCare
from penstock.state.clock import from_timestamp, to_timestamp
from penstock.state.export_cursor import ExportCursor
from penstock.state.stores import Store
from penstock.v1.session_pb2 import ReadMessagesRequest
from penstock.v1.state_admin_pb2 import (
    ExportedEvents,
    ExportedMessages,
    ExportedSession,
    ExportedValue,
    ExportEnd,
    ExportHeader,
    StoreRecord,
)
from penstock.wire.errors import PenstockError

_LOGGER: Final = logging.getLogger(__name__)

FORMAT_VERSION: Final = 1

_NAMES: Final = 200
# Of the pieces that messages, logs and topics are cut into; events of 1 MiB make bigger ones.
_PIECE_BYTES: Final = 128 * 1024
_MESSAGES: Final = 200
# Of a topic with its groups, which is one record: it has to fit into a message.
_TOPIC_BYTES: Final = 2 * 1024 * 1024

# The parts of an export, by the number in cursors.
_HEADER, _VALUES, _SESSIONS, _RUNS, _SESSIONS_AGAIN, _TOPICS, _END = range(7)

Inside = tuple[StoreRecord, int | None]


async def export(store: Store, after: str) -> AsyncGenerator[StoreRecord]:
    """Yields all records after a cursor, or all of them (empty).

    Sessions come before the runs that speak in them, and those that changed meanwhile once more after them, so that
    they have all that the exported runs have said.

    Raises InvalidArgument for a cursor that is none.
    """
    cursor = ExportCursor.from_text(after) if after else ExportCursor(_HEADER - 1, store.care.now_us())
    began_us = cursor.began_us
    if cursor.stage < _HEADER:
        stats = await store.care.stats()
        header = ExportHeader(format_version=FORMAT_VERSION, time=to_timestamp(began_us), engine=stats.engine)
        yield StoreRecord(header=header, cursor=ExportCursor(_HEADER, began_us).to_text())
    exporter = _Exporter(store, began_us)
    for stage, kind, part in (
        (_VALUES, RecordKind.VALUE, exporter.value),
        (_SESSIONS, RecordKind.SESSION, exporter.session),
        (_RUNS, RecordKind.RUN, exporter.run),
        (_SESSIONS_AGAIN, RecordKind.SESSION, exporter.changed_session),
        (_TOPICS, RecordKind.TOPIC, exporter.topic),
    ):
        if cursor.stage <= stage:
            start = cursor if cursor.stage == stage else ExportCursor(stage, began_us)
            async with aclosing(_part(store.care, kind, start, part)) as records:
                async for record in records:
                    yield record
    if cursor.stage < _END:
        end = ExportEnd(time=to_timestamp(store.care.now_us()))
        yield StoreRecord(end=end, cursor=ExportCursor(_END, began_us).to_text())


async def _part(
    care: StoreCare, kind: RecordKind, start: ExportCursor, part: Callable[[RecordName, int], AsyncGenerator[Inside]]
) -> AsyncGenerator[StoreRecord]:
    """Yields the records of one kind from a cursor on, each with its own cursor."""
    if start.last is not None and start.inside is not None:
        async with aclosing(_of_one(start, start.last, start.inside, part)) as records:
            async for record in records:
                yield record
    async for name in _all_names(care, kind, b"" if start.last is None else start.last.place):
        async with aclosing(_of_one(start, name, 0, part)) as records:
            async for record in records:
                yield record


async def _of_one(
    start: ExportCursor, name: RecordName, inside: int, part: Callable[[RecordName, int], AsyncGenerator[Inside]]
) -> AsyncGenerator[StoreRecord]:
    async with aclosing(part(name, inside)) as found:
        try:
            async for record, reached in found:
                record.cursor = ExportCursor(start.stage, start.began_us, name, reached).to_text()
                yield record
        except PenstockError:
            raise
        except Exception:  # damage, of which an export is to save what it can
            _LOGGER.exception(
                "%s of tenant %s can't be read whole; the export goes on behind it", name.name, name.tenant
            )


async def _all_names(care: StoreCare, kind: RecordKind, after: bytes) -> AsyncIterator[RecordName]:
    while True:
        page = await care.names(kind, after, _NAMES)
        for name in page.items:
            yield name
        if page.next_place is None:
            return
        after = page.next_place


class _Exporter:
    """Turns one named record after the other into what stands in the export.

    Each method yields records with how far into the name they reach, None at its end, and begins after that.
    """

    def __init__(self, store: Store, began_us: int) -> None:
        self._store = store
        self._began_us = began_us

    async def value(self, name: RecordName, inside: int) -> AsyncGenerator[Inside]:
        value = await self._store.values.get(name.tenant, name.name)
        if value is not None:
            yield StoreRecord(value=ExportedValue(tenant=name.tenant, value=value)), None

    async def session(self, name: RecordName, inside: int) -> AsyncGenerator[Inside]:
        """Reaches into a session by the index after the last message, plus one for the session itself."""
        session = await self._store.sessions.read(name.tenant, name.name)
        if session is None:
            return
        session.active_run_id = ""
        session.queued_runs = 0
        next_index = session.first_index if inside == 0 else inside - 1
        if inside == 0:
            none = session.next_index == session.first_index
            exported = ExportedSession(tenant=name.tenant, session=session)
            yield StoreRecord(session=exported), None if none else next_index + 1
        while next_index < session.next_index:
            request = ReadMessagesRequest(
                tenant=name.tenant, session_id=name.name, from_index=next_index, before_index=session.next_index
            )
            found = await self._store.sessions.messages(request, _MESSAGES, _PIECE_BYTES)
            now = await self._store.sessions.read(name.tenant, name.name)
            if now is None or now.create_time != session.create_time or not found.messages:
                return  # dropped meanwhile
            if found.messages[0].index > next_index:
                # Cut meanwhile. It comes once more, as it is now; what is between is gone.
                async with aclosing(self.session(name, 0)) as anew:
                    async for one in anew:
                        yield one
                return
            next_index = found.messages[-1].index + 1
            exported_messages = ExportedMessages(
                tenant=name.tenant,
                session_id=name.name,
                messages=found.messages,
                session_create_time=session.create_time,
            )
            last = next_index >= session.next_index
            yield StoreRecord(messages=exported_messages), None if last else next_index + 1

    async def changed_session(self, name: RecordName, inside: int) -> AsyncGenerator[Inside]:
        session = await self._store.sessions.read(name.tenant, name.name)
        if session is not None and from_timestamp(session.update_time) >= self._began_us:
            async with aclosing(self.session(name, inside)) as records:
                async for found in records:
                    yield found

    async def run(self, name: RecordName, inside: int) -> AsyncGenerator[Inside]:
        """Reaches into a run by the last sequence."""
        run = await self._store.care.run(name.tenant, name.name)
        log = await self._store.runs.open_log(name.tenant, name.name)
        if run is None or log is None:
            return
        last = run.record.run.last_sequence
        while inside < last:
            # No further than the record, which may be older than the log by now.
            piece = await log.read(inside, last, lifecycle_only=False, max_bytes=_PIECE_BYTES)
            if not piece.events:
                break
            events = [event for event in piece.events if event.sequence <= last]
            if not events:
                break  # gone on, ended and trimmed meanwhile
            inside = last if len(events) < len(piece.events) else piece.read_to
            exported = ExportedEvents(
                tenant=name.tenant, run_id=name.name, generation=run.record.run.generation, events=events
            )
            yield StoreRecord(events=exported), inside
        yield StoreRecord(run=run), None

    async def topic(self, name: RecordName, inside: int) -> AsyncGenerator[Inside]:
        """Reaches into a topic by the last position, plus one for the topic itself."""
        position = inside - 1
        if inside == 0:
            topic = await self._store.care.topic(name.tenant, name.name)
            if topic is None:
                return
            position = 0
            if topic.ByteSize() > _TOPIC_BYTES:
                for given in chain.from_iterable(group.deliveries for group in topic.groups):
                    given.reason = ""  # what was said of so many is the first to be done without
            yield StoreRecord(topic=topic), 1
        while True:
            found = await self._store.care.topic_events(name.tenant, name.name, position, _PIECE_BYTES)
            if not found.events:
                return
            position = found.events[-1].position
            yield StoreRecord(topic_events=found), position + 1
