"""What time takes from topics on SQLite: nothing that anybody may still want, and in pieces."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.state.clock import StoreClock
from penstock.state.settings import StateSettings
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.store import SqliteStore
from penstock.state.sqlite.topic_sweep import open_topics
from penstock.state.topic_store import GRACE_US, GROUP_IDLE_US, Member
from penstock.v1.run_pb2 import Durability
from tests.state.subscriber import event

DAY = 86400.0


@dataclass
class Time:
    """A clock that the test sets; in nanoseconds."""

    now: int = 1_700_000_000 * 10**9
    elapsed: int = 0

    def pass_by(self, seconds: float) -> None:
        """Lets time go by."""
        self.now += int(seconds * 1e9)
        self.elapsed += int(seconds * 1e9)


@dataclass(frozen=True)
class Opened:
    """Represents a store whose time the test makes."""

    store: SqliteStore
    reader: sqlite3.Connection
    time: Time

    def count(self, table: str) -> int:
        """Returns how many rows a table has."""
        return int(self.reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    async def publish(self, topic: str, count: int) -> None:
        """Publishes so many events, whose names are new."""
        names = [f"e{self.time.now}-{n}" for n in range(count)]
        for first in range(0, count, 1000):
            await self.store.topics.publish("a", topic, [event(name) for name in names[first : first + 1000]])

    async def sweep(self) -> int:
        """Sweeps until there is no more to do; returns in how many pieces."""
        pieces = 1
        while await self.store.sweep():
            pieces += 1
        return pieces


@asynccontextmanager
async def opened(path: Path, most_events: int = 100_000) -> AsyncGenerator[Opened]:
    """Opens a store that nobody else sweeps, and that keeps events for a day."""
    with open_database(path / "state.db", synchronous="normal", boot_id="boot") as database:
        time = Time()
        settings = StateSettings(lifecycle_topic="", topic_retention=DAY, max_topic_events=most_events)
        clock = StoreClock(lambda: time.now, lambda: time.elapsed)
        yield Opened(SqliteStore(database, settings, Durability.DURABILITY_PROCESS, clock), database.reader, time)


async def test_old_events_go_in_pieces_and_young_ones_stay(tmp_path: Path) -> None:
    """No piece is big enough to hold anybody up, however much has become old at once."""
    async with opened(tmp_path) as one:
        await one.publish("t", 4500)
        one.time.pass_by(DAY / 2)
        await one.publish("t", 10)
        one.time.pass_by(DAY / 2 + 1)
        assert await one.sweep() >= 5
        assert one.count("topic_events") == 10
        assert one.reader.execute("SELECT first_position, next_position FROM topics").fetchall() == [(4501, 4511)]


async def test_a_limit_that_was_lowered_far_is_reached_by_and_by(tmp_path: Path) -> None:
    """A publish drops a bounded number of events besides those that it makes too many."""
    async with opened(tmp_path) as one:
        await one.publish("t", 3000)
    async with opened(tmp_path, most_events=10) as one:
        one.time.pass_by(1)
        left = []
        for _ in range(4):
            one.time.pass_by(1)
            await one.publish("t", 1)
            left.append(one.count("topic_events"))
        assert left[0] > 1000
        assert left[-1] == 10


async def test_a_topic_is_forgotten_when_nobody_can_remember_a_position(tmp_path: Path) -> None:
    """Empty, without groups, and unused for a day; one with a group stays, and its positions go on."""
    async with opened(tmp_path) as one:
        await one.publish("left", 3)
        await one.publish("wanted", 3)
        await one.store.topics.join(Member("a", "wanted", "g", "stream-1"), None)
        await one.store.topics.leave(Member("a", "wanted", "g", "stream-1"))
        one.time.pass_by(DAY + 1)
        await one.sweep()
        assert one.count("topics") == 1
        assert list(await one.store.topics.publish("a", "left", [event("x")])) == [1]
        assert list(await one.store.topics.publish("a", "wanted", [event("x")])) == [4]


async def test_a_group_is_forgotten_when_nobody_has_belonged_to_it_for_long(tmp_path: Path) -> None:
    """With all that it had not answered; one that has a member is never."""
    async with opened(tmp_path) as one:
        for group, stream in (("left", "stream-1"), ("joined", "stream-2")):
            await one.store.topics.join(Member("a", "t", group, stream), None)
        await one.store.topics.leave(Member("a", "t", "left", "stream-1"))
        one.time.pass_by(GROUP_IDLE_US / 1e6 - 1)
        await one.sweep()
        assert one.count("topic_groups") == 2
        one.time.pass_by(2)
        await one.sweep()
        assert one.reader.execute("SELECT name FROM topic_groups").fetchall() == [("joined",)]


async def test_a_reply_address_goes_soon_after_its_subscriber(tmp_path: Path) -> None:
    """A minute is kept for one whose connection broke; then address and replies go, and replies find nobody."""
    async with opened(tmp_path) as one:
        member = Member("a", "reply.1", "~stream-1", "stream-1")
        await one.store.topics.join(member, None)
        await one.publish("reply.1", 1500)
        one.time.pass_by(10 * GRACE_US / 1e6)
        await one.sweep()
        assert one.count("topics") == 1
        await one.store.topics.leave(member)
        one.time.pass_by(GRACE_US / 1e6 - 1)
        await one.sweep()
        assert one.count("topics") == 1
        one.time.pass_by(2)
        assert await one.sweep() > 1
        assert (one.count("topics"), one.count("topic_events"), one.count("topic_groups")) == (0, 0, 0)


async def test_groups_of_streams_that_a_killed_process_had_are_gone(tmp_path: Path) -> None:
    """Only they: what belongs to a named group is kept."""
    async with opened(tmp_path) as one:
        await one.publish("t", 3)
        for group in ("~stream-1", "g"):
            await one.store.topics.join(Member("a", "t", group, f"of-{group}"), 0)
    with open_database(tmp_path / "state.db", synchronous="normal", boot_id="boot") as database:
        await database.write(lambda transaction: open_topics(transaction.connection))
        assert database.reader.execute("SELECT name FROM topic_groups").fetchall() == [("g",)]
