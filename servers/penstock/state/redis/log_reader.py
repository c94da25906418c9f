"""Reading one run's log: what is durable, from any place on."""

from asyncio import Future
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial

from penstock.state.log.event_rules import STREAMED
from penstock.state.redis.keys import Tag
from penstock.state.redis.log_entries import READ_ENTRIES, unpack_entry
from penstock.state.redis.log_followed import Chunk, Followed
from penstock.state.redis.room_commits import Room
from penstock.state.redis.room_keys import RunKeys
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_reading import RunReader, RunReading, nothing, pending_signals
from penstock.state.redis.run_record import RoomRun
from penstock.state.redis.scripts import Reply
from penstock.state.stores import LogPiece, LogState
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import PendingSignal
from penstock.v1.run_pb2 import Run
from penstock.wire.errors import DataLoss, NotFound, OutOfRange

# Bytes of entries read at once from the store.
_PAGE_BYTES = 1024 * 1024


class LogLooker:
    """Looks at logs that are followed, and tells their followers what it finds."""

    def __init__(self, rooms: Rooms, reader: RunReader) -> None:
        self._rooms = rooms
        self._reader = reader

    async def open(self, followed: Followed) -> tuple[RunReading | None, Tag]:
        """Looks at a log before it is read."""
        tenant, run_id = followed.name
        reading = await self._reader.read(tenant, run_id, "state")
        tag = self._rooms.place(tenant, run_id) or (await self._rooms.find(tenant, run_id)).tag
        if reading is not None:
            self._take(followed, reading.run)
        return reading, tag

    def look(self, followed: Followed) -> None:
        """Looks at a log that is followed, without anybody waiting; what can't be reached is looked at again later."""
        tenant, run_id = followed.name
        tag = self._rooms.place(tenant, run_id)
        if tag is None:
            self._rooms.find(tenant, run_id).add_done_callback(partial(self._found, followed))
        else:
            self._look_in(tag, followed)

    def _found(self, followed: Followed, found: Future[Room]) -> None:
        if not found.cancelled() and found.exception() is None:
            # Not by the place that is known then: none is of a run that is gone.
            self._look_in(found.result().tag, followed)

    def _settled(self, followed: Followed, settled: Future[None]) -> None:
        if not settled.cancelled() and settled.exception() is None:
            self.look(followed)

    def _look_in(self, tag: Tag, followed: Followed) -> None:
        self._reader.look(*followed.name, tag, "state").add_done_callback(partial(self._looked, followed, tag))

    def _looked(self, followed: Followed, tag: Tag, looked: Future[Reply]) -> None:
        if looked.cancelled() or looked.exception() is not None:
            return
        reading = self._reader.take(*followed.name, tag, looked.result())
        if reading is None:
            followed.there = False
            self._rooms.forget_place(*followed.name)
            self._rooms.followers.touch(followed, lifecycle=True)
        elif not reading.stands:
            self._rooms.submit(*followed.name, nothing).add_done_callback(partial(self._settled, followed))
        else:
            # Signals are not among what is compared: whoever waits for them has another look.
            self._take(followed, reading.run)
            self._rooms.followers.touch(followed, lifecycle=True)

    def _take(self, followed: Followed, run: RoomRun) -> None:
        generation = run.head.record.run.generation
        first = not followed.generation
        followed.there = True
        followed.first_sequence = max(followed.first_sequence, run.first_sequence)
        if followed.grow(generation, None, run.readable, finished=run.head.finished and run.whole):
            # The news of it, if it comes now, will be none to those who follow already.
            self._rooms.followers.touch(followed, lifecycle=True)
        if not run.whole:
            self._rooms.confirm(*followed.name)
        if first and followed.missed:
            followed.missed = False
            self.look(followed)


class RedisRunLog:
    """Reads the log of one run."""

    __slots__ = ("_followed", "_keys", "_reader", "_rooms", "generation")

    def __init__(self, reader: RunReader, rooms: Rooms, followed: Followed, tag: Tag) -> None:
        self.generation = followed.generation
        self._reader = reader
        self._rooms = rooms
        self._followed = followed
        self._keys = RunKeys.of(tag, followed.name[1])

    async def state(self) -> LogState:
        """See RunLog."""
        followed = self._followed
        _, run_id = followed.name
        if not followed.there:
            raise NotFound.named("run", run_id)
        if followed.generation != self.generation:
            common = await self.last_common_sequence(self.generation)
            raise DataLoss(
                f"the history of run {run_id} is of generation {followed.generation} now, and was of "
                f"{self.generation}; they agree up to sequence {common}",
                run_id=run_id,
                last_common_sequence=common,
                generation=followed.generation,
            )
        return LogState(followed.last, followed.finished, followed.first_sequence)

    async def run(self) -> Run:
        """See RunLog."""
        return (await self._look("summary")).put_together().run

    async def read(self, after: int, last: int, *, lifecycle_only: bool, max_bytes: int) -> LogPiece:
        """See RunLog."""
        recent = self._followed.since(after + 1)
        if recent and not lifecycle_only and (whole := _whole(recent, after, last, max_bytes)) is not None:
            return whole
        piece = _Piece(after, last, max_bytes, lifecycle_only=lifecycle_only)
        if recent is not None:
            for chunk in recent:
                if piece.take(chunk):
                    break
        else:
            pages = self._stored(after + 1, last, max_bytes, lifecycle_only=lifecycle_only)
            async with aclosing(pages):
                async for chunk in pages:
                    if piece.take(chunk):
                        break
        return piece.done()

    async def signals(self, after: int) -> Sequence[PendingSignal]:
        """See RunLog."""
        return pending_signals((await self._look("signals")).signals, after)

    async def last_common_sequence(self, generation: int) -> int:
        """See RunLog."""
        if generation > self._followed.generation:
            return 0  # a history that this store has never had
        bases = (await self._look("state")).run.bases
        # What a newer one kept of this history, one newer still may have lost.
        return min((common for newer, common in bases if newer > generation), default=0)

    def watch(self, wake: Callable[[], None], *, lifecycle_only: bool) -> Callable[[], None]:
        """See RunLog."""
        watchers = self._followed.watchers
        watchers[wake] = lifecycle_only
        return lambda: forget(watchers, wake)

    async def _look(self, wanted: str) -> RunReading:
        reading = await self._reader.read(*self._followed.name, wanted)
        if reading is None:
            raise NotFound.named("run", self._followed.name[1])
        return reading

    async def _check_kept(self, sequence: int) -> None:
        """Raises OutOfRange when a sequence was trimmed, of which this process may not have heard yet."""
        run_id = self._followed.name[1]
        first = (await self._look("state")).run.first_sequence
        if sequence < first:
            self._followed.first_sequence = max(self._followed.first_sequence, first)
            raise OutOfRange(
                f"the log of run {run_id} is kept from sequence {first} on, and {sequence} is wanted",
                run_id=run_id,
                first_sequence=first,
            )

    async def _stored(self, first: int, last: int, max_bytes: int, *, lifecycle_only: bool) -> AsyncGenerator[Chunk]:
        most = min(max_bytes, _PAGE_BYTES)
        while first <= last:
            arguments = (first, last, most, int(lifecycle_only))
            reply = await self._rooms.link.run(READ_ENTRIES, (self._keys.log,), arguments)
            found, following, trimmed = reply.value
            if trimmed:
                await self._check_kept(first)
            for name, value in found:
                entry = unpack_entry(name, value)
                if entry.last >= entry.first:
                    yield Chunk(entry.first, entry.last, entry.packed, None, lifecycle=entry.lifecycle)
            if not following:
                return
            first = following


def _whole(chunks: Sequence[Chunk], after: int, last: int, max_bytes: int) -> LogPiece | None:
    """Returns entries as they are packed; None: not all of each is wanted, or they have too many bytes."""
    if chunks[0].first != after + 1 or chunks[-1].last != last:
        return None
    packed = chunks[0].packed if len(chunks) == 1 else b"".join([chunk.packed for chunk in chunks])
    return LogPiece((), last, len(packed), packed) if len(packed) <= max_bytes else None


class _Piece:
    """Gathers events until they have as many bytes as are wanted."""

    def __init__(self, after: int, last: int, max_bytes: int, *, lifecycle_only: bool) -> None:
        self._after = after
        self._last = last
        self._max_bytes = max_bytes
        self._lifecycle_only = lifecycle_only
        self._events: list[RunEvent] = []
        self._size = 0
        self._full = False

    def take(self, chunk: Chunk) -> bool:
        """Takes what fits of an entry; True: no more does."""
        if self._lifecycle_only and not chunk.lifecycle:
            return False
        events, after, last = self._events, self._after, self._last
        for event in chunk.events:
            sequence = event.sequence
            if sequence <= after or (self._lifecycle_only and event.WhichOneof("event") in STREAMED):
                continue
            if sequence > last:
                break
            size = event.ByteSize()
            if events and self._size + size > self._max_bytes:
                self._full = True
                break
            events.append(event)
            self._size += size
            if self._size >= self._max_bytes:
                self._full = True
                break
        return self._full

    def done(self) -> LogPiece:
        """Returns what there is."""
        read_to = self._events[-1].sequence if self._full else self._last
        return LogPiece(self._events, read_to, self._size)


def forget(watchers: dict[Callable[[], None], bool], wake: Callable[[], None]) -> None:
    """Ends a watch."""
    watchers.pop(wake, None)
