"""What followers here know of the logs that they follow: kept up by our own commits and by the news of others."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final
from weakref import WeakValueDictionary

from penstock.state.redis.news import RUNS, News
from penstock.state.redis.room_step import RunNews
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import ReadEventsResponse

Wake = Callable[[], None]

_RECORD: Final = struct.Struct("<BHHQQQI")
_LIFECYCLE: Final = 1
_FINISHED: Final = 2
_SIGNALS: Final = 4
_CUT: Final = 8
_MOST_PACKED: Final = 16 * 1024
# In bytes of packed events; in memory they take about four times as much.
_MOST_BYTES: Final = 16 * 1024 * 1024
PATROL_S: Final = 30.0
"""Seconds between two looks at all that is followed, when nothing gives cause to doubt."""

_TOGETHER: Final = 100
_MOST_BYTES_OF_A_RUN: Final = 128 * 1024


class Chunk:
    """Represents the events of one entry, unpacked when first asked for."""

    __slots__ = ("_events", "first", "last", "lifecycle", "packed", "size")

    def __init__(self, first: int, last: int, packed: bytes, events: Sequence[RunEvent] | None, *, lifecycle: bool):
        self.first = first
        self.last = last
        self.lifecycle = lifecycle
        self.packed = packed
        self.size = len(packed)
        self._events = events

    @property
    def events(self) -> Sequence[RunEvent]:
        """The events."""
        if self._events is None:
            self._events = ReadEventsResponse.FromString(self.packed).events
        return self._events


class Followed:
    """Represents one run's log as readers may see it: how far it is, and its newest entries without a gap.

    `generation` is 0 until somebody has looked; `missed` says that news came before that. `there` turns False when the
    run is removed.
    """

    __slots__ = (
        "__weakref__",
        "chunks",
        "finished",
        "first_sequence",
        "generation",
        "last",
        "missed",
        "name",
        "size",
        "there",
        "watchers",
    )

    def __init__(self, name: tuple[str, str]) -> None:
        self.name = name
        self.generation = 0
        self.last = 0
        self.first_sequence = 1
        self.finished = False
        self.there = True
        self.missed = False
        self.chunks: deque[Chunk] = deque()
        self.size = 0
        self.watchers: dict[Wake, bool] = {}

    def since(self, sequence: int) -> Sequence[Chunk] | None:
        """Returns the entries with events from this number on, oldest first; None: they are not all here."""
        if sequence <= self.last and (not self.chunks or self.chunks[0].first > sequence):
            return None
        # From the end, where followers mostly are.
        newer: list[Chunk] = []
        for chunk in reversed(self.chunks):
            if chunk.last < sequence:
                break
            newer.append(chunk)
        newer.reverse()
        return newer

    def grow(self, generation: int, chunk: Chunk | None, last: int, *, finished: bool) -> bool:
        """Takes in news; returns whether they are any."""
        if generation < self.generation:
            return False
        renewed = generation > self.generation
        if renewed:
            self.generation = generation
            self.chunks.clear()
            self.size = 0
            self.last = 0
        if last > self.last or (finished and not self.finished):
            if chunk is None or chunk.first != self.last + 1:
                self.chunks.clear()
                self.size = 0
            if chunk is not None:
                self.chunks.append(chunk)
                self.size += chunk.size
                while self.size > _MOST_BYTES_OF_A_RUN:
                    self.size -= self.chunks.popleft().size
            self.last = max(self.last, last)
            self.finished = self.finished or finished
            return True
        return renewed

    def forget_chunks(self) -> None:
        """Keeps the newest entry only."""
        while len(self.chunks) > 1:
            self.size -= self.chunks.popleft().size


class Followers:
    """Tells followers, here and in other processes, what commits have brought: once for all of a turn."""

    def __init__(self, news: News, look: Callable[[Followed], None], removed: Callable[[str, str], None]) -> None:
        self._news = news
        self._look = look
        self._removed = removed
        self._followed: WeakValueDictionary[tuple[str, str], Followed] = WeakValueDictionary()
        self._touched: dict[Followed, bool] = {}
        self._unpublished: list[bytes] = []
        self._due = False
        self._size = 0
        self._loop = asyncio.get_running_loop()

    def follow(self, tenant: str, run_id: str) -> Followed:
        """Returns what is known of a run, to be held as long as it is to be kept up."""
        name = (tenant, run_id)
        followed = self._followed.get(name)
        if followed is None:
            followed = self._followed[name] = Followed(name)
        return followed

    def tell(self, news: RunNews) -> None:
        """Tells what a commit has brought, which is durable by now."""
        run = news.run
        head = run.head
        generation = head.record.run.generation
        finished = head.finished
        flags = news.lifecycle * _LIFECYCLE + finished * _FINISHED + news.signals * _SIGNALS
        tenant, run_id = head.tenant.encode(), head.run_id.encode()
        packed = news.packed if len(news.packed) <= _MOST_PACKED else b""
        last = news.last if news.first else run.readable
        header = _RECORD.pack(flags, len(tenant), len(run_id), generation, news.first, last, len(packed))
        self._unpublished += (header, tenant, run_id, packed)
        self._soon()
        followed = self._followed.get((head.tenant, head.run_id))
        if followed is not None:
            chunk = None
            if news.first:
                chunk = Chunk(news.first, news.last, news.packed, news.events, lifecycle=news.lifecycle)
            self._take(followed, generation, chunk, last, news.lifecycle, news.signals, finished)

    def cut(self, tenant: str, run_id: str, first: int) -> None:
        """Tells from which sequence on a log is kept now; 0: the run was removed."""
        names = (tenant.encode(), run_id.encode())
        self._unpublished += (_RECORD.pack(_CUT, len(names[0]), len(names[1]), 0, first, 0, 0), *names)
        self._soon()
        self._cut((tenant, run_id), first)

    def heard(self, publisher: bytes, payload: bytes) -> None:
        """Takes in what another process tells."""
        place = 0
        followed_here = self._followed
        while place < len(payload):
            flags, tenant, run_id, generation, first, last, size = _RECORD.unpack_from(payload, place)
            place += _RECORD.size
            name_end = place + tenant + run_id
            name = (payload[place : place + tenant].decode(), payload[place + tenant : name_end].decode())
            place = name_end + size
            if flags & _CUT:
                self._cut(name, first)
                continue
            followed = followed_here.get(name)
            if followed is None:
                continue
            lifecycle = bool(flags & _LIFECYCLE)
            chunk = Chunk(first, last, payload[name_end:place], None, lifecycle=lifecycle) if size else None
            self._take(followed, generation, chunk, last, lifecycle, bool(flags & _SIGNALS), bool(flags & _FINISHED))

    def doubt(self) -> None:
        """Looks at all that is followed, because news may have been lost."""
        for followed in list(self._followed.values()):
            if followed.watchers:
                self._look(followed)

    async def patrol(self) -> None:
        """Looks, for ever and seldom, at all that is followed: what went without a trace is noticed in the end."""
        while True:
            await asyncio.sleep(PATROL_S)
            for number, followed in enumerate(list(self._followed.values()), 1):
                if followed.watchers:
                    self._look(followed)
                if number % _TOGETHER == 0:
                    await asyncio.sleep(0)

    def miss(self) -> None:
        """Has all followers, here and elsewhere, look again, because a commit may stand of which nobody can tell."""
        self._news.miss()

    def touch(self, followed: Followed, *, lifecycle: bool) -> None:
        """Has a log's followers woken at the end of this turn."""
        self._touched[followed] = self._touched.get(followed, False) or lifecycle
        self._soon()

    def _cut(self, name: tuple[str, str], first: int) -> None:
        followed = self._followed.get(name)
        if not first:
            # Another run may come to have that name; it has followers of its own.
            self._followed.pop(name, None)
            self._removed(*name)
        if followed is not None:
            followed.there = bool(first)
            followed.first_sequence = max(followed.first_sequence, first)
            self.touch(followed, lifecycle=True)

    def _take(
        self,
        followed: Followed,
        generation: int,
        chunk: Chunk | None,
        last: int,
        lifecycle: bool,
        signals: bool,
        finished: bool,
    ) -> None:
        if not followed.generation:
            followed.missed = True
        elif followed.grow(generation, chunk, last, finished=finished) or signals:
            self.touch(followed, lifecycle=lifecycle or signals)
            if chunk is not None:
                self._size += chunk.size
                if self._size > _MOST_BYTES:
                    self._make_room()

    def _make_room(self) -> None:
        self._size = sum(followed.size for followed in self._followed.values())
        if self._size > _MOST_BYTES // 2:
            for followed in list(self._followed.values()):
                followed.forget_chunks()
            self._size = sum(followed.size for followed in self._followed.values())

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        self._due = False
        touched, self._touched = self._touched, {}
        for followed, lifecycle in touched.items():
            for wake, lifecycle_only in list(followed.watchers.items()):
                if lifecycle or not lifecycle_only:
                    wake()
        unpublished, self._unpublished = self._unpublished, []
        if unpublished:
            self._news.publish(RUNS, b"".join(unpublished))
