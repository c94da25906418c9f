"""Looking a run over: whether its record, its log, and what tells where it is agree."""

import struct
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from google.protobuf.message import DecodeError

from penstock.state.redis.keys import Tag
from penstock.state.redis.link import Link
from penstock.state.redis.log_entries import LogEntry, unpack_entry
from penstock.state.redis.room_keys import RunKeys
from penstock.state.redis.room_pointer import pointed_us
from penstock.state.redis.run_indexes import RunIndexes
from penstock.state.redis.run_reading import RunReader, RunReading, look_at
from penstock.state.redis.run_record import RoomRun
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import ReadEventsResponse, RunRecord

Found = Sequence[tuple[str, str]]
"""What is wrong: the kind of each problem, and what it is in words."""

# An entry has what was appended at once, which is 1 MiB at most and mostly little.
_ENTRIES: Final = 20
UNREADABLE: Final = (DecodeError, struct.error, ValueError, KeyError, IndexError, TypeError)
"""What comes of reading damaged bytes."""


class RunCheck:
    """Looks at runs by the names of their keys."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._indexes = RunIndexes(link.keys)

    async def look(self, fixed: bytes, tag: Tag) -> Found:
        """Returns what is wrong with the run that a key belongs to."""
        room = tag.key("room")
        names = await self._link.call("HGET", room, "t", key=room, read_only=True)
        summary = await self._link.call("HGET", fixed, "s", key=fixed, read_only=True)
        if summary is None:
            gone = not await self._link.call("EXISTS", fixed, key=fixed, read_only=True)
            return [] if gone else [("SPEC_MISSING", f"{fixed.decode()}: what was asked for is missing")]
        try:
            run_id = RunRecord.FromString(summary).run.run_id
        except DecodeError:
            return [("SPEC_DAMAGED", f"{fixed.decode()}: what was asked for can't be read")]
        if names is None:
            return [("KEYS_WITHOUT_OWNER", f"{fixed.decode()}: run {run_id} has no room")]
        tenant, session_id = names.decode().split("\0")
        whose = f"run {run_id} of tenant {tenant}"
        try:
            reading = RunReader.take(tenant, run_id, tag, await look_at(self._link, run_id, tag, "summary"))
        except UNREADABLE:
            return [("HEAD_DAMAGED", f"{whose}: its head can't be read")]
        if reading is None:
            return [("HEAD_MISSING", f"{whose}: what became of it is missing")]
        found = [*await self._log(reading.run), *await self._place(reading, tag, session_id)]
        return [(kind, f"{whose}: {detail}") for kind, detail in found]

    async def _log(self, run: RoomRun) -> Found:
        """Looks whether a log is whole up to where its head says that it goes; it may have gone on since."""
        problems: list[tuple[str, str]] = []
        last = run.head.last_sequence
        expected = run.first_sequence
        newest: RunEvent | None = None
        try:
            async with aclosing(self._entries(run.keys, last)) as entries:
                async for entry in entries:
                    if entry.last < entry.first:
                        continue
                    if entry.first != expected:
                        problems.append(
                            ("LOG_GAP", f"event {expected} is missing from its log, which goes on at {entry.first}")
                        )
                    events = ReadEventsResponse.FromString(entry.packed).events
                    if [event.sequence for event in events] != list(range(entry.first, entry.last + 1)):
                        told = f"its entry with events {entry.first} to {entry.last} has others"
                        problems.append(("LOG_DAMAGED", told))
                    expected = entry.last + 1
                    newest = events[-1] if events else newest
        except UNREADABLE as error:
            return [("LOG_DAMAGED", f"its log can't be read: {type(error).__name__}")]
        if expected <= last:
            problems.append(("LOG_SHORT", f"its head speaks of event {last}, and its log ends at {expected - 1}"))
        elif run.head.finished and not (newest is not None and newest.HasField("run_finished")):
            problems.append(("LOG_SHORT", "it has ended, and its log has no end"))
        elif newest is not None and newest.HasField("run_finished") and not run.head.finished:
            problems.append(("HEAD_BEHIND_LOG", "its log has an end, and its head says that it goes on"))
        return problems

    async def _entries(self, keys: RunKeys, last: int) -> AsyncGenerator[LogEntry]:
        begin = "-"
        while True:
            words = ("XRANGE", keys.log, begin, f"{last}-0", "COUNT", _ENTRIES)
            page = await self._link.call(*words, key=keys.log, read_only=True)
            for name, (_, value) in page:
                yield unpack_entry(name, value)
            if len(page) < _ENTRIES:
                return
            begin = f"({page[-1][0].decode()}"

    async def _place(self, reading: RunReading, tag: Tag, session_id: str) -> Found:
        """Looks whether a run is found by its id and its tenant."""
        run = reading.run
        problems: list[tuple[str, str]] = []
        own = self._link.keys.run_room(run.head.tenant, run.head.run_id)
        if session_id and own != tag and not await pointed_us(self._link, own):
            problems.append(("INDEX_INCOMPLETE", f"its id does not lead to session {session_id}"))
        for entry in self._indexes.entries(run, reading_labels(reading), 0):
            if entry.key == self._indexes.tenant(run.head.tenant) and (
                await self._link.call("ZSCORE", entry.key, entry.member, key=entry.key, read_only=True) is None
            ):
                problems.append(("INDEX_INCOMPLETE", "the list of its tenant's runs lacks it"))
        return problems


def reading_labels(reading: RunReading) -> dict[str, str]:
    """Returns a run's labels."""
    return dict(RunRecord.FromString(reading.summary).run.labels)
