"""Looking a file over, and giving back what it does not use."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1.session_pb2 import AppendMessagesRequest
from penstock.v1.state_pb2 import DeleteValueRequest, SetValueRequest
from tests.state import entries as e
from tests.state.admin import administered
from tests.state.house import open_house

Damage = Callable[[sqlite3.Connection], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The store's file."""
    return tmp_path / "penstock.db"


@pytest.fixture
def settings(path: Path) -> StateSettings:
    """Settings of a store of its own."""
    return StateSettings(url=f"sqlite:///{path}", lifecycle_topic="")


async def problems_after(settings: StateSettings, path: Path, damage: Damage) -> list[str]:
    """Makes a store with a little of everything, damages its file, and returns what the check says."""
    async with open_house(settings) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1", session="s"))
        await e.append_events(house, "run-1", e.token("a"), e.token("b"))
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
        await e.record(house, e.record_entry("run-2"))
        await house.sessions.AppendMessages(
            AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[e.message("m1"), e.message("m2")])
        )
        async with administered(house.layer) as admin:
            assert await admin.problems() == []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        damage(connection)
    async with open_house(settings) as house, administered(house.layer) as admin:
        return await admin.problems()


def sql(statement: str) -> Damage:
    """Damage that a statement does."""

    def damage(connection: sqlite3.Connection) -> None:
        assert connection.execute(statement).rowcount != 0

    return damage


@pytest.mark.parametrize(
    ("statement", "told", "words"),
    [
        ("DELETE FROM logs WHERE run = 1 AND first = 1", "LOG_SHORT", "run run-1 of tenant acme"),
        ("DELETE FROM specs WHERE run = 2", "SPEC_MISSING", "run run-2"),
        ("UPDATE runs SET state = 6 WHERE run_id = 'run-1'", "INDEX_DAMAGED", "state 6"),
        ("UPDATE runs SET head = x'ff' WHERE run_id = 'run-2'", "HEAD_DAMAGED", "run run-2"),
        ("UPDATE logs SET events = x'ffff' WHERE run = 1", "LOG_DAMAGED", "run run-1"),
        ("DELETE FROM messages WHERE place = 1", "MESSAGES_MISSING", "session s of tenant acme"),
        ("DELETE FROM sessions", "ROWS_WITHOUT_OWNER", "messages"),
        ("INSERT INTO topics VALUES (7, 'acme', 't', 1, 3, NULL, 9000000000000000)", "EVENTS_MISSING", "topic t"),
    ],
)
async def test_damage_is_found_and_named(
    settings: StateSettings, path: Path, statement: str, told: str, words: str
) -> None:
    """Whatever is missing or does not agree is told with its kind, and with whose it is."""
    problems = await problems_after(settings, path, sql(statement))
    assert [problem for problem in problems if problem.startswith(told) and words in problem], problems


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET head = x'ff' WHERE run_id = 'run-1'",
        "UPDATE specs SET summary = x'ff' WHERE run = 1",
        "UPDATE logs SET events = x'ffff' WHERE run = 1",
        "UPDATE logs SET heads = x'ff' WHERE run = 1",
    ],
)
async def test_an_export_saves_what_is_not_damaged(
    settings: StateSettings, path: Path, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A run that can't be read is left out, and named in the log; all others come, and the export has an end."""
    await problems_after(settings, path, sql(statement))
    async with open_house(settings) as house, administered(house.layer) as admin:
        records = await admin.export()
    assert [record.run.record.run.run_id for record in records if record.HasField("run")] == ["run-2"]
    assert records[-1].HasField("end")
    assert "run-1 of tenant acme" in caplog.text


async def test_an_index_that_lacks_a_row_is_found(settings: StateSettings, path: Path) -> None:
    """SQLite's own look at each table comes with what mends it."""

    def damage(connection: sqlite3.Connection) -> None:
        # A row that was inserted while the index was out of sight.
        (page, text) = connection.execute(
            "SELECT rootpage, sql FROM sqlite_master WHERE name = 'sessions_by_use'"
        ).fetchone()
        connection.execute("DELETE FROM sqlite_master WHERE name = 'sessions_by_use'")
        connection.execute("PRAGMA schema_version = 1000")
        connection.execute("UPDATE sessions SET used_us = used_us + 1")
        connection.execute(
            "INSERT INTO sqlite_master VALUES ('index', 'sessions_by_use', 'sessions', ?, ?)", (page, text)
        )

    problems = await problems_after(settings, path, damage)
    assert [problem for problem in problems if problem.startswith("INDEX_DAMAGED") and "sessions" in problem], problems


async def test_a_check_that_nobody_waits_for_ends(settings: StateSettings) -> None:
    """Cancelling the call interrupts the thread that looks, and the store serves on."""
    async with open_house(settings) as house, administered(house.layer) as admin:
        stream = admin.calls.CheckStore(pb.CheckStoreRequest())
        async for _ in stream:
            stream.cancel()
            break
        await house.values.SetValue(SetValueRequest(tenant=e.TENANT, key="k"))


async def test_space_is_given_back_while_the_store_serves(settings: StateSettings) -> None:
    """The file shrinks by what was deleted, in pieces between which writes are answered at once."""
    async with open_house(settings) as house, administered(house.layer) as admin:
        for number in range(40):
            await house.values.SetValue(SetValueRequest(tenant=e.TENANT, key=f"k{number}", data=bytes(500_000)))
        for number in range(40):
            await house.values.DeleteValue(DeleteValueRequest(tenant=e.TENANT, key=f"k{number}"))
        before = await admin.stats()
        assert before["unused_bytes"] > 15_000_000
        took = []
        responses = []
        async with asyncio.timeout(30):
            async for response in admin.calls.VacuumStore(pb.VacuumStoreRequest()):
                responses.append(response)
                began = time.monotonic()
                await house.values.SetValue(SetValueRequest(tenant=e.TENANT, key="k"))
                took.append(time.monotonic() - began)
        # Not in one piece, nor page by page.
        assert 40 < len(responses) < 200
        assert responses[-1].left_bytes == 0
        assert responses[-1].freed_bytes > 15_000_000
        assert sorted(took)[len(took) // 2] < 1.0
        assert (await admin.stats())["unused_bytes"] < 1_000_000
        assert await admin.problems() == []
    async with open_house(settings) as house, administered(house.layer) as admin:
        assert (await admin.stats())["file_bytes"] < 5_000_000


async def test_a_file_that_can_shrink_only_as_a_whole_is_told_how(settings: StateSettings, path: Path) -> None:
    """One of an older version stays as it is, and what to do is said."""
    async with open_house(settings):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    async with open_house(settings) as house, administered(house.layer) as admin:
        await house.values.SetValue(SetValueRequest(tenant=e.TENANT, key="k", data=bytes(500_000)))
        await house.values.DeleteValue(DeleteValueRequest(tenant=e.TENANT, key="k"))
        (response,) = [each async for each in admin.calls.VacuumStore(pb.VacuumStoreRequest())]
    assert response.left_bytes > 400_000
    assert "stop penstockd" in response.note
