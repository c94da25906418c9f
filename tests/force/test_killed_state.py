"""State processes die in full flight, and nothing that anyone was told is lost, changed or doubled."""

import random
from pathlib import Path

import pytest

from tests.force.killing import killed_under_load
from tests.force.load import Load
from tests.force.replica import open_replicas


@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_a_killed_state_process_over_sqlite_loses_nothing(synchronous: str, tmp_path: Path) -> None:
    """kill -9 under load, and a restart on the same file: readers and writers go on as if nothing had been."""
    url = f"sqlite:///{tmp_path}/state.db?synchronous={synchronous}"
    async with open_replicas([url], tmp_path) as (replica,):
        load = Load([replica.door], random.Random(1))
        await killed_under_load(load, 2, replica.crash)
        assert {generation for history in load.histories for generation in history.generations()} == {1}
