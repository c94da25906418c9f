"""A store on a shared Valkey for which a test has time pass, in the data."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.state.open_store import open_store
from penstock.state.redis.keys import Keys
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.settings import StateSettings
from penstock.state.stores import Store
from penstock.state.topic_store import Demand
from tests.state.entries import TENANT
from tests.stores.server import ValkeyServer

DEMAND = Demand(max_unacknowledged=10, max_bytes=1_000_000, visibility_us=3_600_000_000)


class Aged:
    """Represents a store of its own on a shared server, with a hand on its clocks' traces."""

    def __init__(self, server: ValkeyServer, namespace: str) -> None:
        self.server = server
        self.namespace = namespace
        self.keys = Keys(namespace)
        self.url = f"{server.url}?namespace={namespace}"

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[Store]:
        """One more state process."""
        async with open_store(StateSettings(url=self.url, lifecycle_topic="")) as store:
            yield store

    def make_due(self, kind: str) -> None:
        """Has the minute pass after which names of a kind are looked at."""
        due = self.keys.tag("i", kind, TENANT).key("due")
        for name in self.server.command("ZRANGE", due, 0, -1):
            self.server.command("ZADD", due, 0, name)

    def names(self, kind: str) -> list[bytes]:
        """The names of a kind that are listed."""
        names: list[bytes] = self.server.command("ZRANGE", self.keys.tag("i", kind, TENANT).key("names"), 0, -1)
        return names

    def topic(self, name: str = "t") -> TopicKeys:
        """The keys of a topic."""
        return TopicKeys(self.keys, TENANT, name)

    def age_events(self, last: int) -> None:
        """Has the first events of topic `t`, up to one, come long ago."""
        keys = self.topic()
        entries = self.server.command("XRANGE", keys.events, "-", "+")
        self.server.command("DEL", keys.events)
        for position, (entry_id, fields) in enumerate(entries, 1):
            if position <= last:
                fields[b"t"] = b"1"
            self.server.command("XADD", keys.events, entry_id, *(word for item in fields.items() for word in item))
        self.server.command("HSET", keys.topic, "oldest", 1)


@pytest.fixture
def aged(valkey: ValkeyServer, tmp_path: Path) -> Aged:
    """An empty store."""
    return Aged(valkey, f"aged-{tmp_path.parent.name}-{tmp_path.name}".replace("_", "-")[-64:])


async def sweep(store: Store) -> None:
    """Sweeps all."""
    async with asyncio.timeout(10):
        while await store.sweep():
            pass
