"""Where runs stand beside their rooms, so that they are found: by tenant, state, label, owner, and time.

The room is the truth. An index is written in the same turn as the commit and before it; whoever reads one checks what
it says against the room, and a sweep looks for runs that an index has lost.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from penstock.state.clock import from_timestamp
from penstock.state.redis.keys import Keys
from penstock.state.redis.room_step import Command
from penstock.state.redis.run_record import RoomRun
from penstock.v1.run_pb2 import RUN_STATE_QUEUED

# Younger entries may belong to a commit that is still on its way.
SETTLED_US: Final = 30_000_000

# An owner who still drives a run hears within a second that its history was lost in part, and says so by an entry.
DOUBT_US: Final = 10_000_000

KINDS: Final = frozenset({b"runs-by-tenant", b"runs-by-state", b"runs-by-label", b"owned"})
"""What the names of those indexes end with that there may be any number of."""


class Place(NamedTuple):
    """Names a run and its session, whose room it is in."""

    tenant: str
    run_id: str
    session_id: str

    def pack(self) -> str:
        """Packs it, to be a member of an index of all tenants."""
        return "\0".join(self)

    @classmethod
    def unpack(cls, packed: bytes) -> "Place":
        """Reads what `pack` packed; whatever was put behind it is left out."""
        return cls(*packed.decode().split("\0")[:3])


class Entry(NamedTuple):
    """Represents where a run is to be found: an index, what stands in it for the run, and at which number."""

    key: bytes
    member: str
    score: int


def place_of(run: RoomRun) -> Place:
    """Names a run."""
    return Place(run.head.tenant, run.head.run_id, run.head.session_id)


class RunIndexes:
    """Makes the commands that put runs into indexes, and take them out."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.claimable = keys.index("claimable")
        self.due = keys.index("due")
        self.outbox = keys.index("outbox")
        self.unused = keys.index("unused-sessions")
        ended = keys.tag("i", "runs-to-trim")
        self.to_trim = ended.key("runs-to-trim")
        # Those of the former of which it is known how many bytes they have together, and how many those are.
        self.counted = ended.key("runs-counted")
        self.counted_bytes = ended.key("bytes-counted")
        self.to_remove = keys.index("runs-to-remove")

    def owned(self, instance_id: str) -> bytes:
        """The key of an instance's runs."""
        return self._keys.index("owned", instance_id)

    def tenant(self, tenant: str) -> bytes:
        """The key of a tenant's runs."""
        return self._keys.index("runs-by-tenant", tenant)

    def state(self, tenant: str, state: int) -> bytes:
        """The key of a tenant's runs in a state; those not terminal stand together."""
        return self._keys.index("runs-by-state", tenant, str(state if state >= 4 else 0))

    def label(self, tenant: str, key: str, value: str) -> bytes:
        """The key of a tenant's runs with a label."""
        return self._keys.index("runs-by-label", tenant, key, value)

    def recorded(self, run: RoomRun, labels: Mapping[str, str], now_us: int) -> list[Command]:
        """Puts a new run where it will be looked for."""
        return [("ZADD", entry.key, entry.score, entry.member) for entry in self.entries(run, labels, now_us)]

    def entries(self, run: RoomRun, labels: Mapping[str, str], now_us: int) -> list[Entry]:
        """Returns all entries that a run is to have, the outbox apart; `now_us` is for those that it gets anew."""
        head = run.head
        place = place_of(run).pack()
        entries = [
            Entry(self.tenant(head.tenant), place, run.created_us),
            Entry(self.state(head.tenant, head.state), place, run.created_us),
        ]
        for key, value in labels.items():
            entries.append(Entry(self.label(head.tenant, key, value), place, run.created_us))
        if head.finished:
            if not run.trimmed:
                entries.append(Entry(self.to_trim, trimmable(run), ended_us(run)))
            entries.append(Entry(self.to_remove, place, ended_us(run)))
        elif head.record.owner_instance_id:
            entries.append(Entry(self.owned(head.record.owner_instance_id), place, now_us))
            if run.doubted_us:
                entries.append(Entry(self.due, place, run.doubted_us + DOUBT_US))
        else:
            if head.claimable:
                entries.append(Entry(self.claimable, place, now_us))
            if run.deadline_us and head.state == RUN_STATE_QUEUED:
                entries.append(Entry(self.due, place, run.deadline_us))
        return entries

    def marks(self, run: RoomRun, now_us: int) -> list[Entry]:
        """Returns the entries of a run in the outbox."""
        place, outbox = place_of(run).pack(), run.head.outbox
        return [Entry(self.outbox, f"{place}\0{bit}", now_us) for bit in (1, 2) if outbox & bit]

    def free(self, run: RoomRun, now_us: int) -> Command:
        """Puts a run among those that may be claimed."""
        return ("ZADD", self.claimable, now_us, place_of(run).pack())

    def taken(self, run: RoomRun, now_us: int) -> Command:
        """Puts a run among those of its owner."""
        return ("ZADD", self.owned(run.head.record.owner_instance_id), now_us, place_of(run).pack())

    def doubted(self, run: RoomRun) -> Command:
        """Puts a run where it is found when its owner has not said for too long that it drives it."""
        return ("ZADD", self.due, run.doubted_us + DOUBT_US, place_of(run).pack())

    def no_longer_free(self, place: Place) -> list[Command]:
        """Takes a run out from among those that may be claimed."""
        return [("ZREM", self.claimable, place.pack()), ("ZREM", self.due, place.pack())]

    def left(self, place: Place, owner: str) -> Command:
        """Takes a run out from among those of a former owner."""
        return ("ZREM", self.owned(owner), place.pack())

    def ended(self, run: RoomRun, now_us: int) -> list[Command]:
        """Puts a run among those of its terminal state, and of those that are kept for a time only."""
        head = run.head
        place = place_of(run).pack()
        return [
            ("ZADD", self.state(head.tenant, head.state), run.created_us, place),
            ("ZADD", self.to_trim, now_us, trimmable(run)),
            ("ZADD", self.to_remove, now_us, place),
        ]

    def no_longer_active(self, run: RoomRun) -> list[Command]:
        """Takes a run that has ended out of where those are that go on."""
        head = run.head
        commands: list[Command] = [("ZREM", self.state(head.tenant, RUN_STATE_QUEUED), place_of(run).pack())]
        if head.record.owner_instance_id:
            commands.append(self.left(place_of(run), head.record.owner_instance_id))
        else:
            commands += self.no_longer_free(place_of(run))
        return commands

    def removed(self, run: RoomRun, labels: Mapping[str, str]) -> list[Command]:
        """Takes a run that has ended out of wherever it was to be found, those apart that tell when to remove it."""
        entries = (*self.entries(run, labels, 0), *self.marks(run, 0))
        kept = (self.to_trim, self.to_remove)
        return [("ZREM", entry.key, entry.member) for entry in entries if entry.key not in kept]

    def marked(self, run: RoomRun, bit: int, now_us: int) -> Command:
        """Puts a run among those whose start or end is still to be published."""
        return ("ZADD", self.outbox, now_us, f"{place_of(run).pack()}\0{bit}")

    def published(self, place: Place, bit: int) -> Command:
        """Takes it out again."""
        return ("ZREM", self.outbox, f"{place.pack()}\0{bit}")


def trimmable(run: RoomRun) -> str:
    """Packs a run that has ended, and how many bytes its log has, to be a member of the index of logs to be trimmed."""
    return f"{place_of(run).pack()}\0{run.head.log_bytes}"


def ended_us(run: RoomRun) -> int:
    """Tells when a run ended, in microseconds since 1970."""
    return from_timestamp(run.head.record.run.finish_time)
