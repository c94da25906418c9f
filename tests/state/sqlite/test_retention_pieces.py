"""Retention on SQLite is bounded work, however much there is to go."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from penstock.state.settings import StateSettings
from tests.state import entries as e
from tests.state.house import open_house


async def test_a_long_log_goes_in_pieces_and_says_after_each_where_it_begins(tmp_path: Path) -> None:
    """No piece frees more than a few MiB, and a reader in between sees no gap."""
    path = tmp_path / "state.db"
    settings = StateSettings(url=f"sqlite:///{path}", log_retention=1e-6, run_retention=0, sweep_seconds=3600)
    async with open_house(settings) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        for _ in range(12):
            await e.append_events(house, "run-1", e.token("x" * 900_000))
        last = (await e.append_events(house, "run-1", e.step_finished(), e.run_finished())).last_sequence
        log = await house.layer.store.runs.open_log(e.TENANT, "run-1")
        assert log is not None
        begins = []
        while await house.layer.store.sweep():
            state = await log.state()
            begins.append(state.first_sequence)
            piece = await log.read(begins[-1] - 1, last, lifecycle_only=False, max_bytes=1)
            assert [event.sequence for event in piece.events] == [begins[-1]]
        assert begins[-1] == last - 1
        assert len(begins) > 3
        assert begins == sorted(begins)
        connection = sqlite3.connect(path)
        assert connection.execute("SELECT count(*), sum(length(events)) < 1000 FROM logs").fetchone() == (1, 1)
        connection.close()
