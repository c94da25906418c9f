"""One suite for every store."""

from collections.abc import AsyncGenerator

import pytest

from penstock.state.settings import StateSettings
from tests.state.house import House, open_house
from tests.stores.every_store import kind, pytest_configure, pytest_generate_tests, second_url, settings, url
from tests.stores.kinds import Kind

__all__ = ["kind", "pytest_configure", "pytest_generate_tests", "second_url", "settings", "url"]


@pytest.fixture
async def house(kind: Kind, settings: StateSettings) -> AsyncGenerator[House]:
    """A running state layer over an empty store."""
    async with open_house(settings, over_tcp=kind.over_tcp) as house:
        yield house
