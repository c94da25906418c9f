"""Fixtures of the client's tests."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from penstock.client import Client
from tests.client.daemon import running_daemon


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real mesh's door is."""
    home: Path = tmp_path_factory.mktemp("mesh")
    with running_daemon(home) as where:
        yield where


@pytest.fixture
async def client(address: str) -> AsyncGenerator[Client]:
    """A client of the mesh."""
    async with Client(address) as opened:
        yield opened
