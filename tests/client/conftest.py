"""Fixtures of the client's tests."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from penstock.client import Client
from tests.client.daemon import running_daemon
from tests.client.two_doors import TwoDoors, two_doors


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[TwoDoors]:
    """A real mesh with two gateways, for the tests of one file."""
    async with two_doors(tmp_path_factory.mktemp("doors")) as doors:
        yield doors


@pytest_asyncio.fixture(loop_scope="module")
async def doors(shared_doors: TwoDoors) -> TwoDoors:
    """A real mesh with two gateways, both up; the test may kill them."""
    await shared_doors.all_up()
    return shared_doors
