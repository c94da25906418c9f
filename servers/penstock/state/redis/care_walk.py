"""A walk through all keys of the store at once, for who wants to see everything that there is."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

from penstock.state.redis.faults import UNAVAILABLE
from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.keys import Tag
from penstock.state.redis.lane import ServerChanged
from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Script
from penstock.wire.errors import Unavailable

_KEYS: Final = 500
# Far more than it takes to come upon a slot of every server.
_MOST_PLACES: Final = 100_000

# A script, so that it is known which server has answered: another one would take the cursor for something else.
_SCAN: Final = Script(
    "#!lua flags=no-writes\nreturn redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])", read_only=True
)
_NAME: Final = re.compile(rb"(.*\{[0-9a-f]{32}\}:)([a-z-]+)(:[0-9a-f]{32})?")


class FoundKey(NamedTuple):
    """Represents a key of the store: its kind, whether it is one of several of that kind, and its slot's tag."""

    key: bytes
    kind: str
    named: bool
    tag: Tag


class KeyWalk:
    """Meets every key that is there all the while, some of them twice."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def keys(self, pattern: str = "*") -> AsyncGenerator[Sequence[FoundKey]]:
        """Yields keys whose names match behind the tag, a piece at a time, and also pieces without any.

        Raises Unavailable when a server or its slots change meanwhile, because keys may then not have been met.
        """
        changes: list[None] = []
        forget = self._link.on_renewed(lambda: changes.append(None))
        try:
            for server, place in self.places().items():
                async with aclosing(self._of_server(server, place, pattern)) as pieces:
                    async for piece in pieces:
                        if changes:
                            raise _changed()
                        yield piece
        except ServerChanged as error:
            raise _changed() from error
        finally:
            forget()

    def places(self) -> dict[ServerIdentity, bytes]:
        """Returns all servers that have keys now, each with the name of one that would be there.

        Raises Unavailable while one of them can't be reached.
        """
        servers = self._link.servers()
        found: dict[ServerIdentity, bytes] = {}
        for number in range(_MOST_PLACES):
            place = self._link.keys.tag("place", str(number)).begin
            found.setdefault(self._link.server_of(place), place)
            if found.keys() >= servers:
                return found
        raise _changed()

    async def _of_server(
        self, server: ServerIdentity, place: bytes, pattern: str
    ) -> AsyncGenerator[Sequence[FoundKey]]:
        match = self._link.keys.plain("{*}:" + pattern)
        cursor = b"0"
        while True:
            reply = await self._link.run(_SCAN, (place,), (cursor, match, _KEYS), on=server)
            cursor, keys = reply.value
            names = ((key, _NAME.fullmatch(key)) for key in keys)
            yield [
                FoundKey(key, name[2].decode(), name[3] is not None, Tag(name[1]))
                for key, name in names
                if name is not None
            ]
            if cursor == b"0":
                return


def _changed() -> Unavailable:
    return Unavailable("a server of the state layer's Redis has changed meanwhile; begin again", reason=UNAVAILABLE)
