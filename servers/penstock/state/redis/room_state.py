"""What a state process knows of a room, as of one version of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.keys import Tag
from penstock.state.redis.room_keys import RunKeys
from penstock.state.redis.run_record import RoomRun, note_durable, note_writers, unpack_head

VERSION: Final = b"v"
IDENTITY: Final = b"i"
NAMES: Final = b"t"
POINTER: Final = b"p"
META: Final = b"m"
NEXT_NUMBER: Final = b"q"
# Facts of these kinds hold for one commit only.
PASSING: Final = frozenset({"entries", "signals", "signal-id", "recorded"})
_MOST_FACTS: Final = 100


@dataclass(frozen=True, slots=True)
class SessionMeta:
    """Represents a session's numbers and times, which are microseconds since 1970.

    `gone_us` is when the session was dropped, 0: it is there; `version_before` the newest version that the data of
    those before it had. `due_us` is the time under which it stands in the index of those that may expire.
    """

    created_us: int
    updated_us: int
    used_us: int
    first: int = 0
    next: int = 0
    data_version: int = 0
    version_before: int = 0
    gone_us: int = 0
    due_us: int = 0

    def pack(self) -> bytes:
        """Packs it, to be stored."""
        return json.dumps(
            [
                self.created_us,
                self.updated_us,
                self.used_us,
                self.first,
                self.next,
                self.data_version,
                self.version_before,
                self.gone_us,
                self.due_us,
            ]
        ).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> "SessionMeta":
        """Reads what `pack` packed."""
        return cls(*json.loads(packed))

    def is_there(self, now_us: int, ttl_us: int, *, held: bool) -> bool:
        """Tells whether the session is neither dropped nor expired; `held` by a run that goes on, it can't expire."""
        return not self.gone_us and (held or not ttl_us or self.used_us + ttl_us > now_us)


# Not frozen: each commit of this process takes it one version on.
@dataclass(slots=True, eq=False)
class RoomState:
    """Represents a room's contents at one version; version 0 is a room that is empty.

    `identity` is the server that took the last write, `server` the one that was asked. `runs` has the runs that are not
    terminal, oldest first. `facts` has what was looked up beside them, and holds at the same version.
    """

    version: int
    identity: bytes
    server: ServerIdentity
    tenant: str = ""
    session_id: str = ""
    pointer: str | None = None
    meta: SessionMeta | None = None
    next_number: int = 1
    runs: dict[str, RoomRun] = field(default_factory=dict)
    facts: dict[Any, Any] = field(default_factory=dict)  # each key knows the type of its value

    def forget_passing_facts(self) -> None:
        """Forgets what another version may have otherwise, and is not kept up to date here."""
        many = len(self.facts) > _MOST_FACTS
        # The turns are one fact, and to look them up again costs what the history is long.
        for fact in [fact for fact in self.facts if fact[0] in PASSING or (many and fact[0] != "turns")]:
            del self.facts[fact]


def read_state(tag: Tag, flat: Sequence[bytes], server: ServerIdentity) -> RoomState:
    """Makes a state of the room's hash, given as fields and values by turns."""
    fields = dict(zip(flat[::2], flat[1::2], strict=True))
    state = RoomState(version=int(fields.pop(VERSION, b"0")), identity=fields.pop(IDENTITY, b""), server=server)
    if NAMES in fields:
        tenant, session_id = fields.pop(NAMES).decode().split("\0")
        state.tenant, state.session_id = tenant, session_id
    if POINTER in fields:
        state.pointer = fields.pop(POINTER).decode()
    if META in fields:
        state.meta = SessionMeta.unpack(fields.pop(META))
    state.next_number = int(fields.pop(NEXT_NUMBER, b"1"))
    writers: dict[str, dict[str, bytes]] = {}
    runs: list[RoomRun] = []
    for name, value in fields.items():
        if name.startswith(b"h/"):
            run_id = name[2:].decode()
            keys = RunKeys.of(tag, run_id)
            run = unpack_head(state.tenant, run_id, keys, value, fields.get(keys.numbers))
            note_durable(run, fields.get(keys.durable))
            runs.append(run)
        elif name.startswith(b"w/"):
            run_id, writer = name[2:].decode().split("/", 1)
            writers.setdefault(run_id, {})[writer] = value
    for run in sorted(runs, key=lambda run: run.head.number):
        note_writers(run, writers.get(run.head.run_id, {}))
        state.runs[run.head.run_id] = run
    return state
