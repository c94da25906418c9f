"""A file of an older version is brought forward whole, with a copy of it kept."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from penstock.state.settings import StateSettings
from penstock.state.sqlite.opening import open_database
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.session_pb2 import ReadMessagesRequest, ReadSessionRequest
from penstock.v1.state_pb2 import GetValueRequest
from tests.force.small_disk import room, small_disk
from tests.state import entries as e
from tests.state.house import House, open_house
from tests.state.sqlite.version_1 import FINISHED_US, make_version_1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of version 1."""
    path = tmp_path / "state.db"
    make_version_1(path, "boot")
    return path


def settings(path: Path) -> StateSettings:
    """Settings that let nothing of the old file go with time."""
    return StateSettings(
        url=f"sqlite:///{path}", boot_id="boot", log_retention=0, run_retention=0, session_ttl=0, sweep_seconds=3600
    )


def shape_of(path: Path) -> set[tuple[str, ...]]:
    """Which tables with which columns, and which indexes, a file has."""
    connection = sqlite3.connect(path)
    names = connection.execute("SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    shape = {(kind, name, *map(str, connection.execute(f"PRAGMA table_info({name})"))) for kind, name in names}
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return shape


async def test_everything_of_version_1_is_there_under_version_2(path: Path) -> None:
    """Logs, numbers given to writers, outputs, lists, conversations and values; and the run that went on goes on."""
    async with open_house(settings(path)) as house:
        events = await e.read_log(house, "ended", generation=3)
        assert [event.sequence for event in events] == list(range(1, 405))
        assert [event.token.text for event in events[2:402]] == [f"token {number}" for number in range(400)]
        record = await e.run_record(house, "ended")
        assert [part.text for part in record.run.output] == ["the answer"]
        assert record.run.last_sequence == 404
        again = await e.append_events(house, "going-on", e.token("token 2"), writer="writer", number=4)
        assert (again.outcome, again.first_sequence) == (pb.APPEND_OUTCOME_REPEATED, 5)
        new = await e.append_events(house, "going-on", e.token("new"), writer="writer", number=5)
        assert (new.outcome, new.first_sequence, new.generation) == (pb.APPEND_OUTCOME_APPENDED, 6, 3)
        found = await house.log.FindRuns(pb.FindRunsRequest(tenant=e.TENANT, labels={"colour": "ended"}))
        assert [run.run_id for run in found.runs] == ["ended"]
        await check_the_rest(house)


async def check_the_rest(house: House) -> None:
    """What the old file has beside its runs."""
    session = (await house.sessions.ReadSession(ReadSessionRequest(tenant=e.TENANT, session_id="talk"))).session
    assert (session.data_json, session.data_version) == ('{"mood": "fine"}', 7)
    messages = await house.sessions.ReadMessages(ReadMessagesRequest(tenant=e.TENANT, session_id="talk"))
    assert [message.message_id for message in messages.messages] == ["ended:user", "going-on:user"]
    value = await house.values.GetValue(GetValueRequest(tenant=e.TENANT, key="key"))
    assert (value.value.data, value.value.version) == (b"data", 5)


async def test_a_file_that_was_brought_forward_is_as_a_new_one(path: Path, tmp_path: Path) -> None:
    """It has the same tables, columns and indexes, and knows when its runs ended and where turns begin."""
    async with open_house(settings(path)), open_house(settings(tmp_path / "new.db")):
        pass
    assert shape_of(path) == shape_of(tmp_path / "new.db")
    connection = sqlite3.connect(path)
    ends = connection.execute("SELECT run_id, finished_us, log_bytes > 0 FROM runs ORDER BY number").fetchall()
    turns = connection.execute("SELECT place, run_id FROM turns ORDER BY place").fetchall()
    connection.close()
    assert turns == [(0, "ended"), (1, "going-on")]
    assert ends == [("ended", FINISHED_US, 1), ("going-on", None, 0)]


async def test_the_old_file_is_kept_and_no_copy_is_written_over(path: Path) -> None:
    """Each time that a file is brought forward its copy has a name of its own, and nobody else may read it."""
    before = tables_of(path)
    old = path.with_name("old.db")
    shutil.copy(path, old)
    async with open_house(settings(path)):
        pass
    backup = path.with_name("state.db.v1.bak")
    assert tables_of(backup) == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    bytes_of_the_first = backup.read_bytes()
    shutil.copy(old, path)
    async with open_house(settings(path)):
        pass
    assert backup.read_bytes() == bytes_of_the_first
    assert tables_of(path.with_name("state.db.v1.bak1")) == before
    assert not path.with_name("state.db.v1.part").exists()


def tables_of(path: Path) -> dict[str, list[object]]:
    """Every row of every table of a file."""
    connection = sqlite3.connect(path)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    connection.close()
    return rows


@pytest.mark.parametrize("copied", [False, True], ids=["copying", "behind the copy"])
def test_on_a_full_disk_an_old_file_stays_as_it_was(tmp_path: Path, copied: bool) -> None:
    """Wherever it becomes full that is said, and nothing that is of no use takes room."""
    with small_disk(tmp_path / "disk", 4) as disk:
        path = disk / "state.db"
        make_version_1(path, "boot")
        before = tables_of(path)
        left = 100 * 1024 + (path.stat().st_size if copied else 0)
        (disk / "ballast").write_bytes(b"x" * (room(disk) - left))
        with (
            pytest.raises(ValueError, match=r"disk of .* is full"),
            open_database(path, synchronous="normal", boot_id="boot"),
        ):
            pass
        assert tables_of(path) == before
        assert [name.name for name in disk.glob("*.bak*")] == (["state.db.v1.bak"] if copied else [])
        assert not list(disk.glob("*.part*"))


async def test_a_file_that_can_t_be_brought_forward_stays_as_it_was(path: Path) -> None:
    """All of it happens, or nothing: with the mistake mended, the next start does it."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE specs SET summary = x'ff' WHERE run = 2")
    connection.close()
    before = tables_of(path)
    with pytest.raises(Exception, match="parsing"):
        async with open_house(settings(path)):
            pass
    assert tables_of(path) == before
    assert before["meta"] == tables_of(path)["meta"]
    assert ("schema_version", 1) in before["meta"]
