"""One operation's view of a room: what it reads, what it changes, and what is to follow once that is committed."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from penstock.state.redis.keys import Tag
from penstock.state.redis.room_keys import RunKeys
from penstock.state.redis.room_state import META, NEXT_NUMBER, RoomState, SessionMeta
from penstock.state.redis.run_record import (
    RoomRun,
    note_durable,
    pack_head,
    pack_numbers,
    unpack_head,
)
from penstock.v1.run_event_pb2 import RunEvent

Word = bytes | str | int
# Name, key, and what follows.
Command = tuple[str, bytes, *tuple[Word, ...]]
Fact = tuple[str, *tuple[Any, ...]]

# A command that reads, under the name by which an operation asks for what it brings.
Lookup = tuple[Fact, tuple[Word, ...]]


class Unknown(Exception):
    """An operation must know more of the room before it can be done; nothing of it was kept."""

    def __init__(self, lookups: Sequence[Lookup]) -> None:
        super().__init__()
        self.lookups = lookups


class Moved(Exception):
    """A run is not where it was known to be: it was removed, and may have been recorded anew in another session."""

    def __init__(self, run_id: str, apply: Callable[["Step"], Any]) -> None:
        super().__init__()
        self.run_id = run_id
        self.apply = apply


class RunNews(NamedTuple):
    """Represents what a commit did to one run's log, to be told once it is durable; without events `first` is 0."""

    run: RoomRun
    first: int
    last: int
    lifecycle: bool
    signals: bool
    events: Sequence[RunEvent]
    packed: bytes


class RoomNames(Protocol):
    """Says where a room lies, and whose it is."""

    tag: Tag
    key: bytes
    tenant: str
    session_id: str


class Step:
    """Gathers what one operation does to a room; an operation that raises has done nothing.

    It may change the numbers of a run that the room has, as its last act; for anything else it takes `edit`'s copy.
    """

    __slots__ = (
        "_edited",
        "_ended",
        "cleanup",
        "commands",
        "fields",
        "finish",
        "forgotten",
        "generation",
        "indexes",
        "meta",
        "news",
        "now_us",
        "relieves",
        "removed",
        "replicate",
        "replicated",
        "room",
        "state",
        "then",
        "vacates",
        "writes",
    )

    def __init__(self, room: "RoomNames", state: RoomState, now_us: int, generation: int) -> None:
        self.room = room
        self.state = state
        self.now_us = now_us
        self.generation = generation
        self.meta = state.meta
        self.commands: list[tuple[Word, ...]] = []
        self.fields: dict[bytes, Word] = {}
        self.removed: list[bytes] = []
        # Commands beyond the room: written with the commit, the latter only when it has been acknowledged.
        self.indexes: list[Command] = []
        self.cleanup: list[Command] = []
        self.news: list[RunNews] = []
        self.then: list[Callable[[], None]] = []
        # Called before the answer, once it is known how durable all is.
        self.finish: list[Callable[[], None]] = []
        self.replicate = False
        # Whether a majority of the replicas has what was committed, if that was asked for.
        self.replicated = False
        self.writes = False
        self.vacates = False
        # Whether a server that is full is to take it, because it makes room there.
        self.relieves = False
        self.forgotten: list[Fact] = []
        self._edited: dict[str, RoomRun] = {}
        self._ended: set[str] = set()

    def know(self, fact: Fact, *command: Word) -> Any:
        """Returns what a command reads; raises Unknown where nobody has looked yet."""
        if fact not in self.state.facts:
            raise Unknown([(fact, command)])
        return self.state.facts[fact]

    def know_all(self, lookups: Sequence[Lookup]) -> list[Any]:
        """Returns what commands read, all looked up at once."""
        facts = self.state.facts
        missing = [lookup for lookup in lookups if lookup[0] not in facts]
        if missing:
            raise Unknown(missing)
        return [facts[fact] for fact, _ in lookups]

    def run(self, run_id: str) -> RoomRun | None:
        """Returns a run of the room, also one that has ended; None: it has none of that id."""
        found = self._edited.get(run_id) or self.state.runs.get(run_id)
        if found is not None or not self.state.version:
            return found
        keys = RunKeys.of(self.room.tag, run_id)
        packed, numbers, durable = self.know(("ended", run_id), "HMGET", keys.fixed, "h", "n", "d")
        if packed is None:
            return None
        ended = unpack_head(self.state.tenant, run_id, keys, packed, numbers)
        note_durable(ended, durable)
        return ended

    def edit(self, run: RoomRun) -> RoomRun:
        """Returns the copy of a run that this operation may change."""
        run_id = run.head.run_id
        edited = self._edited.get(run_id)
        if edited is None:
            edited = self._edited[run_id] = run.copy()
        return edited

    def add(self, run: RoomRun) -> None:
        """Adds a new run."""
        self._edited[run.head.run_id] = run

    @property
    def edited(self) -> Sequence[RoomRun]:
        """The runs that this operation has changed, as they are after it; those apart that only got more tokens."""
        return list(self._edited.values())

    def unfinished(self) -> list[RoomRun]:
        """Returns the runs that are not terminal as they stand now, oldest first."""
        return list(self._unfinished())

    def first_unfinished(self) -> RoomRun | None:
        """Returns the oldest of the runs that are not terminal."""
        return next(self._unfinished(), None)

    def _unfinished(self) -> Iterator[RoomRun]:
        runs, edited = self.state.runs, self._edited
        for run_id, run in runs.items():
            stands = edited.get(run_id, run)
            if not stands.head.finished:
                yield stands
        for run_id, run in edited.items():
            if run_id not in runs and not run.head.finished:
                yield run

    def write(self, *command: Word) -> None:
        """Has a command done with the commit, on a key of this room."""
        self.commands.append(command)
        self.writes = True

    def touch(self) -> None:
        """Has a commit made though nothing may have changed."""
        self.writes = True

    def vacate(self) -> None:
        """Has the room go with the commit, because nothing is left in it; unless what follows puts something there."""
        self.vacates = True
        self.writes = True

    def tell_renewed(self, run: RoomRun) -> None:
        """Has followers told that a run's history has a new generation."""
        self.news.append(RunNews(run, 0, 0, lifecycle=True, signals=False, events=(), packed=b""))

    def write_numbers(self, run: RoomRun) -> None:
        """Stores a log's numbers."""
        self.fields[run.keys.numbers] = pack_numbers(run.head)
        self.writes = True

    def write_head(self, run: RoomRun) -> None:
        """Stores what has changed in a run's head; one that has ended leaves the room's own hash."""
        run.head.changed = False
        self.writes = True
        if not run.head.finished:
            self.fields[run.keys.head] = pack_head(run)
            return
        fields: list[Word] = ["h", pack_head(run), "n", pack_numbers(run.head)]
        if run.durable is not None:
            fields += ["d", _mark(run)]
        self.commands.append(("HSET", run.keys.fixed, *fields))
        if run.head.run_id not in self._ended:
            self._ended.add(run.head.run_id)
            self.removed += [run.keys.head, run.keys.numbers, run.keys.durable]
            self.removed += [run.keys.writers + writer.encode() for writer in run.head.writers]

    def write_meta(self, meta: SessionMeta) -> None:
        """Stores a session's numbers and times."""
        self.meta = meta
        self.fields[META] = meta.pack()
        self.writes = True

    def remove_meta(self) -> None:
        """Forgets a session and all those before it."""
        self.meta = None
        self.removed.append(META)
        self.writes = True

    def learn(self, fact: Fact, value: Any) -> None:
        """Notes what a fact is after this operation."""
        self.state.facts[fact] = value

    def next_number(self) -> int:
        """Gives out the number of a new run."""
        number = self.state.next_number
        self.fields[NEXT_NUMBER] = number + 1
        return number

    def keep(self) -> None:
        """Makes what was done part of the state, for the operations that follow."""
        state = self.state
        state.meta = self.meta
        for run_id, run in self._edited.items():
            if run.head.finished:
                state.runs.pop(run_id, None)
                # Whoever asks again shall find it as it is now; what was read before is past.
                state.facts.pop(("ended", run_id), None)
            else:
                state.runs[run_id] = run
        if NEXT_NUMBER in self.fields:
            state.next_number = int(self.fields[NEXT_NUMBER])
        for fact in self.forgotten:
            state.facts.pop(fact, None)


def _mark(run: RoomRun) -> Word:
    return (run.durable or 0) if run.recorded else "-"
