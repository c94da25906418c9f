"""Fixtures of the gateway's tests."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.gateway.house import House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House]:
    """A gateway over a real state layer; orchestrator, executor and tools are dead."""
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def full_house(tmp_path: Path) -> AsyncGenerator[House]:
    """A gateway with all other layers behind it."""
    async with open_house(tmp_path, layers=("tools", "executor", "orchestrator")) as opened:
        yield opened
