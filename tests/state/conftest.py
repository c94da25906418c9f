"""One suite for every store: a new one is a new parameter here."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from penstock.state.settings import StateSettings
from tests.state.house import House, open_house


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    return {"sqlite": f"sqlite:///{tmp_path}/state.db"}[request.param]


@pytest.fixture
async def house(url: str) -> AsyncGenerator[House]:
    """A running state layer over an empty store."""
    async with open_house(StateSettings(url=url)) as house:
        yield house
