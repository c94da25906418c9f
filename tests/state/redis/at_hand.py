"""A store on a shared Valkey or Cluster that several state processes serve, and whose keys a test can lay hands on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from penstock.state.redis.generations import Generations
from penstock.state.redis.keys import Keys, Tag
from penstock.state.redis.log_followed import Followers
from penstock.state.redis.news import open_news
from penstock.state.redis.replica import DurableMarks
from penstock.state.redis.room_keys import room_key
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.run_indexes import RunIndexes
from penstock.state.settings import StateSettings
from tests.state import entries as e
from tests.state.entries import TENANT
from tests.state.house import House, open_house
from tests.state.redis.links import linked
from tests.stores.cluster import ValkeyCluster
from tests.stores.server import ValkeyServer

# What a store has from its first moment on, and keeps when all that was in it has gone.
_OF_THE_STORE = re.compile(
    rb"clock|checked|schema|(.*:(leases|serving|claims|generations|walk|tenants))|(.*:(runs-to-|unused-|bytes-).*)"
)


AT_ONCE = 1e-6
"""A time to keep something that has always passed, in seconds."""


@dataclass(frozen=True, slots=True)
class AtHand:
    """Represents such a store; it is empty at first."""

    server: ValkeyServer | ValkeyCluster
    namespace: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.server.url}?namespace={self.namespace}"

    @property
    def keys(self) -> Keys:
        """How its keys are named."""
        return Keys(self.namespace)

    @property
    def indexes(self) -> RunIndexes:
        """How its indexes are named."""
        return RunIndexes(self.keys)

    @property
    def settings(self) -> StateSettings:
        """Settings under which nothing goes, and only the test itself sweeps."""
        return StateSettings(
            url=self.url, lifecycle_topic="", sweep_seconds=3600.0, log_retention=0.0, run_retention=0.0
        )

    @asynccontextmanager
    async def process(self, **changes: Any) -> AsyncGenerator[House]:
        """One more state process, with other settings."""
        async with open_house(replace(self.settings, **changes)) as house:
            yield house

    @asynccontextmanager
    async def rooms(self) -> AsyncGenerator[Rooms]:
        """Rooms alone, for what is to go into one commit."""
        async with linked(self.url) as link, open_news(link) as news:
            generations = Generations(link)
            await generations.open()
            followers = Followers(news, lambda followed: None, lambda tenant, run_id: None)
            yield Rooms(link, generations, followers, DurableMarks(link, followers), most_rooms=10)

    def do(self, command: str, key: bytes, *words: Any) -> Any:
        """Does a command where its key lies."""
        server = self.server if isinstance(self.server, ValkeyServer) else self.server.primary_of(key)
        return server.command(command, key, *words)

    def left(self) -> set[bytes]:
        """The names of all keys but those that every store has, without its begin."""
        begin = f"penstock:{self.namespace}:".encode()
        keys = {key.removeprefix(begin) for key in self.server.all_keys() if key.startswith(begin)}
        return {key for key in keys if not _OF_THE_STORE.fullmatch(key)}

    def session(self, session_id: str = "s") -> Tag:
        """The room of a session."""
        return self.keys.session_room(TENANT, session_id)

    def run(self, run_id: str) -> Tag:
        """The room of a run that has no session."""
        return self.keys.run_room(TENANT, run_id)

    def age_pointer(self, run_id: str) -> None:
        """Has the time pass for which nobody takes away what tells where a run is."""
        self.do("HSET", room_key(self.run(run_id)), "v", 1)
        key = self.indexes.to_remove
        for member in self.do("ZRANGE", key, 0, -1):
            if run_id in member.decode().split("\0"):
                self.do("ZADD", key, 1, member)

    def halt_walk(self) -> None:
        """Has nobody go through the store, who could put into an index what another is taking out."""
        self.do("HSET", self.keys.index("walk"), "due", 1 << 60)

    def hurry_walk(self) -> None:
        """Has the next piece of the walk through the store be due."""
        self.do("HDEL", self.keys.index("walk"), "due")


async def to_its_end(house: House, run_id: str, session: str = "", text: str = "word", count: int = 3) -> int:
    """Records a run, has it say something, and ends it; returns its last sequence."""
    await e.record(house, e.record_entry(run_id, session=session, labels={"kind": "talk"}))
    await e.append_events(house, run_id, *[e.token(text)] * count)
    finish = [e.step_finished(), e.run_finished(output_step="main")]
    return (await e.append_events(house, run_id, *finish)).last_sequence


async def sweep(house: House) -> None:
    """Sweeps until there is no more to do."""
    async with asyncio.timeout(20):
        while await house.layer.store.sweep():
            pass


@pytest.fixture(params=["valkey", "valkey_cluster"])
def at_hand(request: pytest.FixtureRequest) -> AtHand:
    """An empty store."""
    return AtHand(request.getfixturevalue(request.param), f"hand-{uuid4().hex}")
