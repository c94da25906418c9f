"""What time asks of one part of a store does not wait for another part."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from penstock.state.settings import StateSettings
from penstock.wire.errors import Unavailable
from tests.state import entries as e
from tests.state.house import open_house


async def test_a_sweep_that_fails_keeps_no_other_from_its_work(tmp_path: Path) -> None:
    """It is told, and the logs that are due are trimmed all the same."""
    path = tmp_path / "state.db"
    settings = StateSettings(url=f"sqlite:///{path}", log_retention=1e-6, session_ttl=1e-6, sweep_seconds=3600)
    async with open_house(settings) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1", session="s"))
        await e.append_events(house, "run-1", e.token("x"))
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER never BEFORE DELETE ON sessions BEGIN SELECT raise(ABORT, 'never'); END")
        connection.commit()
    async with open_house(settings) as house:
        with pytest.raises(Unavailable):
            await house.layer.store.sweep()
        log = await house.layer.store.runs.open_log(e.TENANT, "run-1")
        assert log is not None
        assert (await log.state()).first_sequence == 4
