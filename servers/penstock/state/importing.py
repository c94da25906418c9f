"""Importing into a store: each record is compared with what is there, and written if there is nothing."""

from collections.abc import Sequence
from typing import Final

from penstock.state.clock import from_timestamp
from penstock.state.exporting import FORMAT_VERSION
from penstock.state.record_rules import check_identified
from penstock.state.stores import RunLog, Store
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.session_pb2 import ReadMessagesRequest, Session, SessionMessage
from penstock.v1.state_admin_pb2 import (
    IMPORT_OUTCOME_CONFLICT,
    IMPORT_OUTCOME_EXPIRED,
    IMPORT_OUTCOME_PRESENT,
    IMPORT_OUTCOME_WRITTEN,
    ExportedEvents,
    ExportedMessages,
    ExportedRun,
    ExportedSession,
    ExportedTopic,
    ExportedTopicEvents,
    ExportedValue,
    ExportHeader,
    ImportResult,
    StoreRecord,
)
from penstock.wire.errors import FailedPrecondition, InvalidArgument, OutOfRange

# More than any answer holds: what is compared is read whole.
_WHOLE: Final = 2**62
# Of a log, which may go on far behind what is compared.
_PIECE_BYTES: Final = 256 * 1024

_WRITTEN: Final = ImportResult(outcome=IMPORT_OUTCOME_WRITTEN)
_PRESENT: Final = ImportResult(outcome=IMPORT_OUTCOME_PRESENT)


class Importer:
    """Takes exported records into a store, one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, record: StoreRecord) -> ImportResult:
        """Takes in one record.

        Raises FailedPrecondition for an export that this store can't take in at all, InvalidArgument for no record.
        """
        check_identified(record)
        match record.WhichOneof("record"):
            case "header":
                return self._header(record.header)
            case "value":
                return await self._value(record.value)
            case "session":
                return await self._session(record.session)
            case "messages":
                return await self._messages(record.messages)
            case "events":
                return await self._events(record.events)
            case "run":
                return await self._run(record.run)
            case "topic":
                return await self._topic(record.topic)
            case "topic_events":
                return await self._topic_events(record.topic_events)
            case "end":
                return _PRESENT
        raise InvalidArgument.of([("records", "has one that is empty, or of a kind not known here; update Penstock")])

    def _header(self, header: ExportHeader) -> ImportResult:
        if header.format_version > FORMAT_VERSION:
            raise FailedPrecondition(
                f"the export has format {header.format_version}, newer than the {FORMAT_VERSION} known here; "
                "update Penstock",
                reason="EXPORT_TOO_NEW",
            )
        behind_us = from_timestamp(header.time) - self._store.care.now_us()
        if behind_us > 0:
            # Versions follow the clock: behind it, that of a deleted value could come a second time.
            raise FailedPrecondition(
                f"this store's clock is {behind_us / 1e6:.1f} s behind that of the exported one; set it right, or wait",
                reason="CLOCK_BEHIND",
            )
        return _PRESENT

    async def _value(self, exported: ExportedValue) -> ImportResult:
        value = exported.value
        if value.HasField("expire_time") and from_timestamp(value.expire_time) <= self._store.care.now_us():
            return ImportResult(outcome=IMPORT_OUTCOME_EXPIRED)
        found = await self._store.values.get(exported.tenant, value.key)
        if found is None and await self._store.care.add_value(exported):
            return _WRITTEN
        found = found or await self._store.values.get(exported.tenant, value.key)
        if found == value:
            return _PRESENT
        what = "was deleted there since" if found is None else f"has version {found.version} there, not {value.version}"
        return _conflict(f"value {value.key!r} of tenant {exported.tenant} {what}")

    async def _session(self, exported: ExportedSession) -> ImportResult:
        tenant, session = exported.tenant, exported.session
        found = await self._store.sessions.read(tenant, session.session_id)
        if found is None:
            if await self._store.care.add_session(exported):
                return _WRITTEN
            found = await self._store.sessions.read(tenant, session.session_id)
        if found is None or found.create_time != session.create_time:
            return _conflict(f"there is another session {session.session_id} of tenant {tenant}")
        if from_timestamp(found.update_time) >= from_timestamp(session.update_time):
            return _PRESENT
        if found.data_version > session.data_version:
            return _conflict(f"session {session.session_id} of tenant {tenant} has newer data there")
        await self._store.care.forward_session(exported)
        return _WRITTEN

    async def _messages(self, exported: ExportedMessages) -> ImportResult:
        tenant, session_id = exported.tenant, exported.session_id
        found = await self._store.sessions.read(tenant, session_id)
        where = f"session {session_id} of tenant {tenant}"
        if found is None or found.create_time != exported.session_create_time:
            return _conflict(
                f"{where} is {'gone again' if found is None else 'another one'}; its messages have no place"
            )
        known = [message for message in exported.messages if message.index < found.next_index]
        new = exported.messages[len(known) :]
        if [message.index for message in new] != list(range(found.next_index, found.next_index + len(new))):
            return _conflict(f"{where} lacks messages before index {new[0].index}")
        if not await self._has_messages(tenant, found, known):
            return _conflict(f"{where} has other messages")
        if not new:
            return _PRESENT
        del exported.messages[: len(known)]
        try:
            await self._store.care.add_messages(exported)
        except FailedPrecondition:
            return await self._messages(exported)  # another was first, perhaps with the same
        return _WRITTEN

    async def _has_messages(self, tenant: str, session: Session, messages: Sequence[SessionMessage]) -> bool:
        """Tells whether messages are there, leaving out those that the session has cut since."""
        kept = {message.index: message for message in messages if message.index >= session.first_index}
        if not kept:
            return True
        request = ReadMessagesRequest(
            tenant=tenant, session_id=session.session_id, from_index=min(kept), before_index=max(kept) + 1
        )
        found = await self._store.sessions.messages(request, _WHOLE, _WHOLE)
        return list(found.messages) == list(kept.values())

    async def _events(self, exported: ExportedEvents) -> ImportResult:
        tenant, run_id = exported.tenant, exported.run_id
        log = await self._store.runs.open_log(tenant, run_id)
        if log is None:
            return _WRITTEN if await self._store.care.add_events(exported) else _PRESENT
        if log.generation == exported.generation and await _has_events(log, exported.events):
            return _PRESENT
        return _conflict(f"run {run_id} of tenant {tenant} has another log there")

    async def _run(self, exported: ExportedRun) -> ImportResult:
        tenant, run_id = exported.record.tenant, exported.record.run.run_id
        found = await self._store.care.run(tenant, run_id)
        if found is None:
            try:
                await self._store.care.add_run(exported)
            except FailedPrecondition as refused:
                return _conflict(refused.message)
            return _WRITTEN
        if found == exported:
            return _PRESENT
        return _conflict(f"run {run_id} of tenant {tenant} stands otherwise there: it is another one, or has gone on")

    async def _topic(self, exported: ExportedTopic) -> ImportResult:
        if await self._store.care.add_topic(exported):
            return _WRITTEN
        found = await self._store.care.topic(exported.tenant, exported.topic)
        if found == exported:
            return _PRESENT
        return _conflict(f"topic {exported.topic} of tenant {exported.tenant} stands otherwise there")

    async def _topic_events(self, exported: ExportedTopicEvents) -> ImportResult:
        if await self._store.care.add_topic_events(exported):
            return _WRITTEN
        first, last = exported.events[0].position, exported.events[-1].position
        # No more than that is to be compared; in messages each takes a little more than what it says.
        found = await self._store.care.topic_events(exported.tenant, exported.topic, first - 1, exported.ByteSize())
        kept = [event for event in found.events if event.position <= last]
        # Without those that the topic has dropped since.
        if kept == exported.events[len(exported.events) - len(kept) :]:
            topic = None if kept else await self._store.care.topic(exported.tenant, exported.topic)
            if kept or (topic is not None and last < topic.next_position):
                return _PRESENT
        return _conflict(f"topic {exported.topic} of tenant {exported.tenant} has other events from {first} to {last}")


async def _has_events(log: RunLog, events: Sequence[RunEvent]) -> bool:
    """Tells whether events are there, leaving out those that were trimmed since."""
    while True:
        first = (await log.state()).first_sequence
        kept = [event for event in events if event.sequence >= first]
        if not kept:
            return True
        try:
            return await _read(log, kept[0].sequence, kept[-1].sequence) == kept
        except OutOfRange:
            continue  # trimmed meanwhile


async def _read(log: RunLog, first: int, last: int) -> list[RunEvent]:
    found: list[RunEvent] = []
    read_to = first - 1
    while read_to < last:
        piece = await log.read(read_to, last, lifecycle_only=False, max_bytes=_PIECE_BYTES)
        if not piece.events:
            break
        found.extend(piece.events)
        read_to = piece.read_to
    return [event for event in found if event.sequence <= last]


def _conflict(detail: str) -> ImportResult:
    return ImportResult(outcome=IMPORT_OUTCOME_CONFLICT, detail=detail)
