"""What time takes from conversations: those that nobody uses any more, and what is remembered of those that are gone.

One index has all of them by the time at which they are to be looked at.
"""

import asyncio

from penstock.state.redis.entry_settling import SETTLE
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import SETTLED_US
from penstock.state.redis.session_history import SessionHistory

# Of one piece: each is an operation on a room.
_AT_ONCE = 100


class SessionExpiry:
    """Sweeps sessions: a bounded piece each time."""

    def __init__(self, rooms: Rooms, history: SessionHistory) -> None:
        self._rooms = rooms
        self._history = history

    async def sweep(self) -> bool:
        """Does a piece; True: there is more."""
        link, key = self._rooms.link, self._history.due
        now_us = link.clock.now_us()
        words = ("ZRANGEBYSCORE", key, "-inf", now_us, "WITHSCORES", "LIMIT", 0, _AT_ONCE)
        flat = await link.call(*words, key=key, read_only=True)
        settled = await asyncio.gather(
            *(self._look_at(name, score, now_us) for name, score in zip(flat[::2], flat[1::2], strict=True))
        )
        return any(settled) and len(settled) == _AT_ONCE

    async def _look_at(self, name: bytes, score: bytes, now_us: int) -> bool:
        """Sweeps one session; True: it need not be looked at again at once."""
        tenant, session_id = name.decode().split("\0")
        due_us = await self._rooms.of_session(tenant, session_id).submit(self._history.expire)
        if not due_us and float(score) > now_us - SETTLED_US:
            return False  # it may be about to be made
        await self._rooms.link.run(SETTLE, (self._history.due,), (name, score, due_us or ""))
        return True
