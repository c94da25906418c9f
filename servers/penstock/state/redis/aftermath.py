"""What follows when a server has taken another's place: whoever's runs go on there are told, also those at rest."""

import asyncio
import random
from typing import Final

from penstock.state.redis.faults import RedisRefused
from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.leases import Leases
from penstock.state.redis.link import Link
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import Place
from penstock.state.redis.run_reading import nothing
from penstock.wire.errors import PenstockError

# Several servers may change together, and all state processes see it.
_SETTLE_S: Final = 0.5
_TOGETHER: Final = 200


class Aftermath:
    """Looks at each run that has an owner, so that its room finds out whether history was lost.

    A run whose end was lost is nobody's concern any more: its owner and its readers believe that it is over.
    """

    def __init__(self, link: Link, rooms: Rooms, leases: Leases) -> None:
        self._link = link
        self._rooms = rooms
        self._leases = leases
        self._known: set[ServerIdentity] = set()
        self._due = asyncio.Event()
        # What changed before this process began, nobody may have looked at.
        self._due.set()

    def renewed(self) -> None:
        """Hears that a server may have changed."""
        self._due.set()

    async def look(self) -> None:
        """Looks, for ever, whenever a server has changed."""
        while True:
            await self._due.wait()
            await asyncio.sleep(_SETTLE_S * random.uniform(0.5, 1.0))
            self._due.clear()
            try:
                servers = self._link.servers()
                if not servers <= self._known:
                    await self._look_at_all()
                self._known = servers
            except (PenstockError, RedisRefused):
                self._due.set()  # it is away again

    async def _look_at_all(self) -> None:
        for instance_id in await self._leases.instances():
            key = self._rooms.indexes.owned(instance_id)
            members = await self._link.call("ZRANGE", key, 0, -1, key=key, read_only=True)
            for begin in range(0, len(members), _TOGETHER):
                places = map(Place.unpack, members[begin : begin + _TOGETHER])
                await asyncio.gather(*(self._rooms.submit(place.tenant, place.run_id, nothing) for place in places))
