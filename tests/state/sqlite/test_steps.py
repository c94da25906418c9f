"""What turns and searches cost, counted in steps of SQLite's own machine: time would tell of the weather too."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from penstock.state.clock import StoreClock, to_timestamp
from penstock.state.settings import StateSettings
from penstock.state.sqlite.database import Database
from penstock.state.sqlite.opening import open_database
from penstock.state.sqlite.run_search import MAX_LOOKED_AT, note_labels
from penstock.state.sqlite.store import SqliteStore
from penstock.state.stores import RunQuery
from penstock.v1 import session_pb2 as pb
from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import Durability, Run, RunState
from tests.state import entries as e

RUNS = 50_000
# Runs are a second apart.
BEGAN_US = 1_700_000_000_000_000


class Steps:
    """Counts the steps of both connections of a database."""

    def __init__(self, *connections: sqlite3.Connection) -> None:
        self.count = 0
        for connection in connections:
            connection.set_progress_handler(self._step, 1)

    def _step(self) -> None:
        self.count += 1

    async def of(self, work: Callable[[], Awaitable[object]]) -> int:
        before = self.count
        await work()
        return self.count - before


@asynccontextmanager
async def opened(path: Path, history_limit: int = 100) -> AsyncGenerator[tuple[SqliteStore, Database]]:
    with open_database(path / "state.db", synchronous="normal", boot_id="boot") as database:
        settings = StateSettings(lifecycle_topic="", history_limit=history_limit)
        yield SqliteStore(database, settings, Durability.DURABILITY_PROCESS, StoreClock()), database


async def both(database: Database) -> Steps:
    """Counts the steps of reader and writer."""
    writers: list[sqlite3.Connection] = []
    await database.write(lambda transaction: writers.append(transaction.connection))
    return Steps(database.reader, writers[0])


@pytest.mark.parametrize("history_limit", [100, 100_000], ids=["cut", "whole"])
async def test_a_turn_costs_the_same_after_ten_messages_and_ten_thousand(tmp_path: Path, history_limit: int) -> None:
    """Reading the session, a question, an answer, and the newest page: no step depends on what came before."""
    async with opened(tmp_path, history_limit) as (store, database):
        steps = await both(database)

        async def append(first: int, count: int, run: str = "") -> None:
            messages = [e.message(f"m{first + number}") for number in range(count)]
            for message in messages:
                message.run_id = run
            request = pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=messages)
            await store.sessions.append(request)

        async def turn(first: int) -> None:
            await store.sessions.read(e.TENANT, "s")
            await append(first, 1, f"run-{first}")
            await append(first + 1, 1, f"run-{first}")
            newest = pb.ReadMessagesRequest(tenant=e.TENANT, session_id="s", newest_first=True)
            await store.sessions.messages(newest, 10, 2**20)

        cost: dict[int, int] = {}
        length = 0
        for wanted in (110, 1000, 10_000):
            while length < wanted - 10:
                await append(length, 100)
                length += 100
            for _ in range(3):  # what the big appends left to be cleared away
                await turn(length)
                length += 2
            cost[wanted] = await steps.of(partial(turn, length))
            length += 2
        assert max(cost.values()) <= 1.1 * min(cost.values()), cost


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with 50,000 runs, of which few failed, few have a rare label, and few are of one session."""
    path = tmp_path_factory.mktemp("many")
    with open_database(path / "state.db", synchronous="normal", boot_id="boot") as database:
        connection = sqlite3.connect(path / "state.db", isolation_level=None)
        connection.execute("BEGIN")
        for number in range(1, RUNS + 1):
            created_us = BEGAN_US + number * 1_000_000
            state = RunState.RUN_STATE_FAILED if number % 100 == 0 else RunState.RUN_STATE_SUCCEEDED
            labels = {"all": "yes", **({"rare": "yes"} if number % 1000 == 0 else {})}
            session_id = "s" if number % 5000 == 0 else ""
            run = Run(
                run_id=f"run-{number}", session_id=session_id, labels=labels, create_time=to_timestamp(created_us)
            )
            head = RunRecord(run=Run(state=state)).SerializeToString()
            connection.execute(
                "INSERT INTO runs (number, tenant, run_id, session_id, state, created_us, owner, claimable, signals, "
                "output_sequence, waiting, head) VALUES (?, ?, ?, ?, ?, ?, '', 0, 0, 0, '', ?)",
                (number, e.TENANT, run.run_id, session_id, state, created_us, head),
            )
            summary = RunRecord(run=run).SerializeToString()
            connection.execute("INSERT INTO specs VALUES (?, ?, x'')", (number, summary))
            note_labels(connection, e.TENANT, number, created_us, labels)
        connection.execute("COMMIT")
        connection.close()
        assert database.reader.execute("SELECT count(*) FROM runs").fetchone() == (RUNS,)
    return path


MIDDLE_US = BEGAN_US + RUNS // 2 * 1_000_000
FAILED, RUNNING = RunState.RUN_STATE_FAILED, RunState.RUN_STATE_RUNNING


@pytest.mark.parametrize(
    ("conditions", "first", "most"),
    [
        ({}, RUNS, 2000),
        ({"session_id": "s"}, RUNS, 2000),
        ({"states": [FAILED]}, RUNS, 2000),
        ({"states": [FAILED, RUNNING]}, RUNS, 2000),
        ({"states": [RUNNING]}, None, 2000),
        ({"labels": {"rare": "yes"}}, RUNS, 4000),
        ({"labels": {"all": "yes"}}, RUNS, 4000),
        ({"labels": {"none": "yes"}}, None, 2000),
        ({"created_until_us": MIDDLE_US}, RUNS // 2 - 1, 2000),
        ({"created_from_us": MIDDLE_US, "created_until_us": MIDDLE_US + 5_000_000}, RUNS // 2 + 4, 2000),
        ({"states": [FAILED], "created_until_us": MIDDLE_US}, RUNS // 2 - 100, 2000),
        ({"labels": {"rare": "yes"}, "created_until_us": MIDDLE_US}, RUNS // 2 - 1000, 4000),
        ({"labels": {"rare": "yes"}, "states": [FAILED]}, RUNS, 4000),
    ],
    ids=str,
)
async def test_a_page_of_runs_reads_few_rows_whatever_is_asked_for(
    many: Path, conditions: dict[str, object], first: int | None, most: int
) -> None:
    """Ten of 50,000 runs by tenant, session, state, label and time, alone and together: each comes from an index."""
    async with opened(many) as (store, database):
        steps = Steps(database.reader)
        everything: dict[str, object] = {
            "tenant": e.TENANT,
            "before": 0,
            "limit": 10,
            "session_id": "",
            "states": [],
            "labels": {},
            "created_from_us": None,
            "created_until_us": None,
            "max_bytes": 2**20,
        }
        page = await store.runs.find(RunQuery(**(everything | conditions)))  # type: ignore[arg-type] # as the field says
        assert (page.items[0].run_id if page.items else None) == (None if first is None else f"run-{first}")
        assert steps.count <= most
        if page.next_place is not None:
            before = int.from_bytes(page.next_place, "big")
            steps.count = 0
            following = await store.runs.find(RunQuery(**(everything | conditions | {"before": before})))  # type: ignore[arg-type] # as above
            assert {run.run_id for run in following.items}.isdisjoint(run.run_id for run in page.items)
            assert steps.count <= most


async def test_a_search_for_what_few_runs_have_is_bounded_too(many: Path) -> None:
    """Where no index knows the answer, a page looks at so many entries and says where the next one begins."""
    async with opened(many) as (store, database):
        steps = Steps(database.reader)
        query = RunQuery(e.TENANT, 0, 10, "", [RUNNING], {"all": "yes"}, None, None, 2**20)
        page = await store.runs.find(query)
        assert not page.items
        assert page.next_place is not None
        assert steps.count <= 40 * MAX_LOOKED_AT
