"""A walk through all keys of the store, round after round: a piece at a time, by whichever process is there first.

Where it stands is kept in the store. A key that moves between servers meanwhile may be met in the next round only.
"""

import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Final, NamedTuple

from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Script

# One piece: looking at what is found in it takes some milliseconds.
_KEYS: Final = 200
_MEMBERS: Final = 50
# Among so many slots is one of every server that has more than a few.
_PLACES: Final = 512

# KEYS: the walk. ARGV: microseconds for which nobody else takes a turn.
# Answers where the walk stands, or false while another has the turn.
_TURN: Final = Script(
    """#!lua flags=allow-oom
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local at = redis.call('HMGET', KEYS[1], 'due', 'stand')
if at[1] and tonumber(at[1]) > now then return false end
redis.call('HSET', KEYS[1], 'due', string.format('%.0f', now + tonumber(ARGV[1])))
return at[2] or ''
"""
)

# KEYS: the walk. ARGV: where it stands now, microseconds until the next turn.
_STAND: Final = Script(
    """#!lua flags=allow-oom
local clock = redis.call('TIME')
local due = clock[1] * 1000000 + clock[2] + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'stand', ARGV[1], 'due', string.format('%.0f', due))
return 1
"""
)

_NAME: Final = re.compile(rb".*\{[0-9a-f]{32}\}:([a-z-]+)(:[0-9a-f]{32})?")


@dataclass(frozen=True, slots=True)
class Pace:
    """Says how many microseconds pass between two pieces, and between two rounds."""

    piece_us: int = 1_000_000
    round_us: int = 60_000_000


@dataclass(frozen=True, slots=True)
class Stand:
    """Represents how far a round is: the server whose keys are read, how far, and the indexes that are to be read."""

    server: str = ""
    cursor: str = "0"
    indexes: list[tuple[str, str]] = field(default_factory=list)


class Piece(NamedTuple):
    """Represents what is to be looked at: rooms and runs by the names of their keys, or entries of an index.

    `after` is where the walk stands once that is done.
    """

    rooms: list[bytes]
    runs: list[bytes]
    index_key: bytes
    entries: list[tuple[bytes, bytes]]
    after: Stand


class StoreWalk:
    """Takes turns in the walk."""

    def __init__(self, link: Link, index_kinds: frozenset[bytes], pace: Pace) -> None:
        self._link = link
        self._kinds = index_kinds
        self._pace = pace
        self._key = link.keys.index("walk")
        self._places = [link.keys.tag("place", str(number)).begin for number in range(_PLACES)]

    async def take(self) -> Piece | None:
        """Returns the next piece; None: it is not the time, or another process has it."""
        reply = await self._link.run(_TURN, (self._key,), (self._pace.piece_us,))
        if reply.value is None:
            return None
        stand = Stand(**json.loads(reply.value)) if reply.value else Stand()
        return await (self._read_index(stand) if stand.indexes else self._read_keys(stand))

    async def done(self, piece: Piece) -> None:
        """Says that a piece has been looked at; one of which nobody says so comes again."""
        after = piece.after
        pause_us = self._pace.piece_us if after.server or after.indexes else self._pace.round_us
        await self._link.run(_STAND, (self._key,), (json.dumps(asdict(after)), pause_us))

    async def _read_index(self, stand: Stand) -> Piece:
        (name, cursor), *others = stand.indexes
        key = name.encode()
        words = ("ZSCAN", key, cursor, "COUNT", _MEMBERS)
        following, flat = await self._link.call(*words, key=key, read_only=True)
        indexes = others if following == b"0" else [(name, following.decode()), *others]
        entries = list(zip(flat[::2], flat[1::2], strict=True))
        return Piece([], [], key, entries, replace(stand, indexes=indexes))

    async def _read_keys(self, stand: Stand) -> Piece:
        servers = {str(self._link.endpoint_of(place)): place for place in self._places}
        names = sorted(name for name in servers if name >= stand.server)
        if not names:
            return Piece([], [], b"", [], Stand())
        server, cursor = names[0], stand.cursor if names[0] == stand.server else "0"
        words = ("SCAN", cursor, "MATCH", self._link.keys.plain("{*"), "COUNT", _KEYS)
        following, keys = await self._link.call(*words, key=servers[server], read_only=True)
        found: dict[bytes, list[bytes]] = {b"room": [], b"run": []}
        indexes: list[tuple[str, str]] = []
        for key in keys:
            name = _NAME.fullmatch(key)
            if name is None:
                continue
            kind, has_name = name[1], name[2] is not None
            if kind in found and has_name == (kind == b"run"):
                found[kind].append(key)
            elif kind in self._kinds and not has_name:
                indexes.append((key.decode(), "0"))
        after = Stand(server, following.decode(), indexes)
        if following == b"0":
            after = Stand(names[1] if len(names) > 1 else "", "0", indexes)
        return Piece(found[b"room"], found[b"run"], b"", [], after)
