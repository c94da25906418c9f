"""What sweeps take from the file, and in what pieces."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock.state.clock import LARGEST_STEP_US, StoreClock
from penstock.state.settings import StateSettings
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.store import SqliteStore
from penstock.v1 import session_pb2 as pb
from penstock.v1.run_pb2 import Durability
from penstock.v1.state_pb2 import DeleteValueRequest, Expiry, SetValueRequest
from tests.state import entries as e

DAY = LARGEST_STEP_US * 1000


@dataclass
class Time:
    """A clock that the test sets; in nanoseconds."""

    now: int = 1_700_000_000 * 10**9
    elapsed: int = 0

    def pass_by(self, nanoseconds: int) -> None:
        self.now += nanoseconds
        self.elapsed += nanoseconds


@dataclass(frozen=True)
class Opened:
    """Represents a store whose time the test makes."""

    store: SqliteStore
    reader: sqlite3.Connection
    time: Time

    def count(self, table: str) -> int:
        return int(self.reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    async def sweep(self) -> int:
        """Sweeps until there is no more to do; returns in how many pieces."""
        pieces = 1
        while await self.store.sweep():
            pieces += 1
        return pieces


@asynccontextmanager
async def opened(path: Path, set_back: int = 0) -> AsyncGenerator[Opened]:
    """Opens a store that nobody else sweeps, on a clock that was set back by nanoseconds."""
    with open_database(path / "state.db", synchronous="normal", boot_id="boot") as database:
        time = Time()
        time.now -= set_back
        settings = StateSettings(lifecycle_topic="")
        clock = StoreClock(lambda: time.now, lambda: time.elapsed)
        store = SqliteStore(database, settings, Durability.DURABILITY_PROCESS, clock)
        yield Opened(store, database.reader, time)


def value(key: str, ttl: float = 0.0, data: bytes = b"v") -> SetValueRequest:
    request = SetValueRequest(tenant=e.TENANT, key=key, data=data)
    if ttl:
        request.expiry.CopyFrom(Expiry(ttl=e.seconds(ttl)))
    return request


async def test_an_expired_value_leaves_its_version_for_a_day_and_then_nothing(tmp_path: Path) -> None:
    """The data goes at once. Whatever comes under the key meanwhile is newer; afterwards the clock sees to that."""
    async with opened(tmp_path) as house:
        values = house.store.values
        old = await values.set(value("k", ttl=60.0, data=b"x" * 100_000))
        house.time.pass_by(60 * 10**9)
        await house.sweep()
        row = house.reader.execute("SELECT live, version, length(data) FROM stored_values").fetchone()
        assert row == (0, old, 0)
        house.time.pass_by(DAY - 10**9)
        await house.sweep()
        assert house.count("stored_values") == 1
        house.time.pass_by(2 * 10**9)
        await house.sweep()
        assert house.count("stored_values") == 0
        assert await values.set(value("k")) > old


async def test_a_deleted_value_leaves_its_version_for_a_day_and_then_nothing(tmp_path: Path) -> None:
    """As one that has expired; those that live are left alone."""
    async with opened(tmp_path) as house:
        for key in ("k", "lives"):
            await house.store.values.set(value(key))
        await house.store.values.delete(DeleteValueRequest(tenant=e.TENANT, key="k"))
        house.time.pass_by(DAY - 10**9)
        await house.sweep()
        assert house.count("stored_values") == 2
        house.time.pass_by(2 * 10**9)
        await house.sweep()
        assert house.reader.execute("SELECT key FROM stored_values").fetchall() == [(b"lives",)]


async def test_many_expired_values_go_in_pieces(tmp_path: Path) -> None:
    """By their number, and by their size: nobody waits for a sweep for long."""
    async with opened(tmp_path) as house:
        for number in range(1000):
            await house.store.values.set(value(f"small-{number}", ttl=1.0))
        house.time.pass_by(10**9)
        assert await house.sweep() >= 5
        for number in range(10):
            await house.store.values.set(value(f"big-{number}", ttl=1.0, data=b"x" * 2**20))
        house.time.pass_by(10**9)
        assert await house.sweep() >= 2
        assert house.count("stored_values WHERE live = 1 OR length(data) > 0") == 0


async def test_what_is_left_of_a_conversation_goes_in_pieces(tmp_path: Path) -> None:
    """Deleting takes one step whatever the length; the sweep clears away all rows, and a new session shares none."""
    async with opened(tmp_path) as house:
        store = house.store.sessions

        async def append(first: int, count: int, text: str = "x") -> pb.AppendMessagesResponse:
            messages = [e.message(f"m{first + number}", text) for number in range(count)]
            request = pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=messages)
            return await store.append(request)

        for first in range(0, 900, 90):
            await append(first, 90)
        await append(2000, 50, "x" * 400_000)
        assert await store.drop(e.TENANT, "s") == pb.DropOutcome.DROP_OUTCOME_DROPPED
        assert list((await append(0, 3)).indexes) == [0, 1, 2]
        assert await house.sweep() >= 6
        assert [house.count(table) for table in ("sessions", "messages", "turns")] == [1, 3, 3]
        assert house.count("cut_messages") + house.count("dropped_sessions") == 0


async def test_an_unused_conversation_leaves_its_version_for_a_day_and_then_nothing(tmp_path: Path) -> None:
    """Nothing of it is in any table in the end."""
    async with opened(tmp_path) as house:
        request = pb.UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json="[]")
        old = (await house.store.sessions.update(request)).version
        messages = pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[e.message("a")])
        await house.store.sessions.append(messages)
        house.time.pass_by(3600 * 10**9)
        await house.sweep()
        tables = ("sessions", "session_data", "messages", "turns", "cut_messages", "dropped_sessions")
        assert [house.count(table) for table in tables] == [0] * len(tables)
        assert house.reader.execute("SELECT version FROM session_versions").fetchall() == [(old,)]
        house.time.pass_by(DAY + 10**9)
        await house.sweep()
        assert house.count("session_versions") == 0
        assert (await house.store.sessions.update(request)).version > old


async def test_reading_notes_its_use_now_and_then_only(tmp_path: Path) -> None:
    """A reader costs a write at most ten times in a session's time to live."""
    async with opened(tmp_path) as house:
        messages = pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[e.message("a")])
        await house.store.sessions.append(messages)
        noted = set()
        for _ in range(100):
            house.time.pass_by(36 * 10**9)
            assert await house.store.sessions.read(e.TENANT, "s") is not None
            await house.store.check()  # committed after whatever the read has written
            noted.add(house.reader.execute("SELECT used_us FROM sessions").fetchone())
        assert 5 <= len(noted) <= 10


async def test_no_version_comes_twice_when_the_clock_was_set_back_meanwhile(tmp_path: Path) -> None:
    """By almost a day, between two lives of the store: what follows the deleted and the expired is newer than they."""
    update = pb.UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json="[]")
    async with opened(tmp_path) as house:
        deleted = await house.store.values.set(value("deleted"))
        await house.store.values.delete(DeleteValueRequest(tenant=e.TENANT, key="deleted"))
        expired = await house.store.values.set(value("expired", ttl=1.0))
        data = (await house.store.sessions.update(update)).version
        assert await house.store.sessions.drop(e.TENANT, "s") == pb.DropOutcome.DROP_OUTCOME_DROPPED
        house.time.pass_by(2 * 10**9)
        await house.sweep()
    async with opened(tmp_path, set_back=DAY - 10**10) as house:
        await house.sweep()
        assert await house.store.values.set(value("deleted")) > deleted
        assert await house.store.values.set(value("expired")) > expired
        assert (await house.store.sessions.update(update)).version > data
