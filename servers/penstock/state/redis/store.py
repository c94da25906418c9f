"""The store on Redis or Valkey, put together."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from penstock.state.lifecycle_publisher import LifecyclePublisher
from penstock.state.redis.address import RedisAddress
from penstock.state.redis.care import RedisCare
from penstock.state.redis.limits import RedisLimits
from penstock.state.redis.link import Link, open_link
from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.news import open_news
from penstock.state.redis.opening import look
from penstock.state.redis.rooms_part import RoomsPart, open_rooms
from penstock.state.redis.topics import RedisTopics, open_topics
from penstock.state.redis.topics_sweep import TopicSweep
from penstock.state.redis.values import RedisValues
from penstock.state.redis.values_index import ValueIndex
from penstock.state.settings import StateSettings
from penstock.wire.errors import Internal, PenstockError
from penstock.wire.ids import random_id

_CHECKED_S: Final = 60


class RedisStore:
    """Keeps everything on one Redis, standalone or Cluster."""

    def __init__(
        self, link: Link, rooms: RoomsPart, topics: RedisTopics, topic_names: NameIndex, settings: StateSettings
    ) -> None:
        index = ValueIndex(link)
        self.values = RedisValues(link, index)
        self.sessions = rooms.sessions
        self.runs = rooms.runs
        self.ownership = rooms.ownership
        self.lifecycle = rooms.lifecycle
        self.limits = RedisLimits(link)
        self.care = RedisCare(link, rooms.rooms, rooms.history, index, topic_names, rooms.claimable)
        self.topics = topics
        self._link = link
        # Of this process alone: another's write between ours and the look at it would pass for a loss.
        self._checked = f"checked:{random_id('process')}"
        # Each does a bounded piece and tells whether there is more.
        self._sweeps: list[Callable[[], Awaitable[bool]]] = [
            index.sweep_values,
            TopicSweep(link, topic_names, settings.topic_retention).sweep,
            *rooms.sweeps,
        ]
        if settings.lifecycle_topic:
            self._sweeps.append(LifecyclePublisher(self.lifecycle, topics, settings.lifecycle_topic).publish)

    async def check(self) -> str:
        """See Store."""
        key = self._link.keys.plain(self._checked)
        began = await self._link.read_clock()
        await self._link.call("SET", key, began, "EX", _CHECKED_S, key=key)
        found = await self._link.call("GET", key, key=key, read_only=True)
        if int(found or 0) < began:
            raise Internal(f"the store has lost a write: wrote {began}, read {found}")
        return f"wrote and read in {(await self._link.read_clock() - began) / 1000:.1f} ms"

    async def sweep(self) -> bool:
        """See Store."""
        more = False
        failures: list[Exception] = []
        for sweep in self._sweeps:
            try:
                more = await sweep() or more
            except Exception as error:
                failures.append(error)  # told when the others have had their turn
        if failures:
            # Of several, what does not mend itself.
            raise next((error for error in failures if not isinstance(error, PenstockError)), failures[0])
        return more


@asynccontextmanager
async def open_redis(address: RedisAddress, settings: StateSettings) -> AsyncGenerator[RedisStore]:
    """Opens a Redis as a store for a block.

    Raises ValueError when it can't be used, with how to mend that.
    """
    opening = await look(address)
    async with open_link(address, opening.owners, opening.replicas) as link, open_news(link) as news:
        topic_names = NameIndex(link, "topics")
        async with (
            open_topics(link, news, topic_names, settings) as topics,
            open_rooms(link, news, settings) as rooms,
        ):
            yield RedisStore(link, rooms, topics, topic_names, settings)
