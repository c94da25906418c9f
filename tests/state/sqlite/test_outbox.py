"""A run's start and its end are marked until they were published, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.state.clock import StoreClock
from penstock.state.lifecycle import LifecycleNews
from penstock.state.log.refused import Refused
from penstock.state.settings import StateSettings
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.store import SqliteStore
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import Durability, RunState
from tests.state import entries as e


@asynccontextmanager
async def opened(path: Path, topic: str = "news") -> AsyncGenerator[SqliteStore]:
    """Opens a store that nobody sweeps."""
    with open_database(path, synchronous="normal", boot_id="boot") as database:
        settings = StateSettings(lifecycle_topic=topic)
        store = SqliteStore(database, settings, Durability.DURABILITY_PROCESS, StoreClock())
        await store.ownership.renew(e.OWNER, 60_000_000)
        yield store


async def end(store: SqliteStore, run_id: str, *events: RunEvent) -> None:
    """Appends an attempt's last events."""
    await store.runs.append(e.append_entry(run_id, *events))


def told(news: Sequence[LifecycleNews]) -> list[tuple[str, str]]:
    """The news in short."""
    return [(one.run.run_id, RunState.Name(one.state).removeprefix("RUN_STATE_")) for one in news]


async def test_starts_and_ends_wait_until_they_are_cleared_each_by_itself(tmp_path: Path) -> None:
    """The oldest runs first, a start before its end, and over a restart; a queued run has no news yet."""
    path = tmp_path / "state.db"
    async with opened(path) as store:
        for entry in (e.record_entry("run-1"), e.record_entry("run-2", owner=""), e.record_entry("run-3")):
            await store.runs.record(entry)
        await end(store, "run-1", e.step_finished(), e.run_finished(output_step="main"))
    async with opened(path) as store:
        outbox = store.lifecycle
        news = await outbox.pending(10)
        assert told(news) == [("run-1", "RUNNING"), ("run-1", "SUCCEEDED"), ("run-3", "RUNNING")]
        assert told(await outbox.pending(2)) == told(news)[:2]
        assert (news[0].tenant, news[0].run.last_sequence) == (e.TENANT, 4)
        await outbox.clear(news[:1])
        assert told(await outbox.pending(10)) == [("run-1", "SUCCEEDED"), ("run-3", "RUNNING")]
        await end(store, "run-3", e.step_finished(), e.run_finished())
        assert told(await outbox.pending(10))[1:] == [("run-3", "RUNNING"), ("run-3", "SUCCEEDED")]
        await outbox.clear(await outbox.pending(10))
        await outbox.clear(news)
        assert await outbox.pending(10) == []


async def test_an_end_that_was_refused_is_no_news(tmp_path: Path) -> None:
    """Marks are part of the commit that they tell of."""
    async with opened(tmp_path / "state.db") as store:
        await store.runs.record(e.record_entry("run-1"))
        with pytest.raises(Refused):
            await end(store, "run-1", e.run_finished(), e.step_finished(attempt=7))
        assert told(await store.lifecycle.pending(10)) == [("run-1", "RUNNING")]


async def test_without_a_topic_there_are_no_marks(tmp_path: Path) -> None:
    """Nobody would ever clear them."""
    async with opened(tmp_path / "state.db", topic="") as store:
        await store.runs.record(e.record_entry("run-1"))
        assert await store.lifecycle.pending(10) == []
