"""Events that an import has brought, kept aside until their run comes: for a day after the last of them came."""

from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection, connect

import pytest

from penstock.state.sqlite import import_runs
from penstock.state.sqlite.opening import open_database
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.state_admin_pb2 import ExportedEvents

DAY_US = 86_400_000_000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A connection to an empty store."""
    with open_database(tmp_path / "state.db", synchronous="normal", boot_id="boot"):
        pass
    connection = connect(tmp_path / "state.db", isolation_level=None)
    yield connection
    connection.close()


def bring(connection: Connection, first: int, now_us: int, run_id: str = "run-1") -> bool:
    """Brings one event."""
    events = [RunEvent(sequence=first)]
    exported = ExportedEvents(tenant="acme", run_id=run_id, generation=1, events=events)
    return import_runs.add_events(connection, exported, now_us)


def kept(connection: Connection) -> list[tuple[str, int]]:
    """Returns the events that are kept, by run and number."""
    return connection.execute("SELECT run_id, first FROM imported_events ORDER BY run_id, first").fetchall()


def test_events_of_an_import_that_goes_on_stay_though_the_first_are_old(connection: Connection) -> None:
    """Else the run would come to a log with a gap, which looks like one that was trimmed."""
    assert bring(connection, 1, 0)
    assert bring(connection, 2, DAY_US - 1)
    assert not import_runs.has_forgotten_events(connection, DAY_US + 1)
    assert not import_runs.drop_forgotten_events(connection, DAY_US + 1)
    assert kept(connection) == [("run-1", 1), ("run-1", 2)]


def test_an_event_that_comes_again_is_young_again(connection: Connection) -> None:
    """The import was begun anew."""
    assert bring(connection, 1, 0)
    assert not bring(connection, 1, DAY_US - 1)
    assert not import_runs.has_forgotten_events(connection, DAY_US + 1)


def test_events_of_a_run_that_never_came_go_from_the_end(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece at a time; an import that is begun anew meanwhile goes on where the rest ends."""
    monkeypatch.setattr(import_runs, "_PIECES", 2)
    for first in (1, 2, 3):
        assert bring(connection, first, 0)
    assert bring(connection, 1, DAY_US, "run-2")
    assert import_runs.has_forgotten_events(connection, DAY_US)
    assert import_runs.drop_forgotten_events(connection, DAY_US)
    assert kept(connection) == [("run-1", 1), ("run-2", 1)]
    assert bring(connection, 2, DAY_US)
    assert not import_runs.has_forgotten_events(connection, DAY_US)
    while import_runs.drop_forgotten_events(connection, 3 * DAY_US):
        pass
    assert kept(connection) == []
