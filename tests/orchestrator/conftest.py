"""Fixtures of the orchestrator's tests."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.orchestrator import agents
from tests.orchestrator.site import Site, open_all
from tests.run_log.faulty_state import FaultyState, open_faulty_state


@pytest.fixture(autouse=True)
def scene(monkeypatch: pytest.MonkeyPatch) -> agents.Scene:
    """What the test shares with its agents."""
    monkeypatch.setattr(agents, "scene", agents.Scene())
    return agents.scene


@pytest.fixture
async def state(tmp_path: Path) -> AsyncGenerator[FaultyState]:
    """A real state layer behind a wire that can be broken."""
    async with asyncio.timeout(20), open_faulty_state(tmp_path) as opened:
        yield opened


@pytest.fixture
async def site(tmp_path: Path) -> AsyncGenerator[Site]:
    """An orchestrator with an executor, over a state layer behind a wire that can be broken."""
    async with asyncio.timeout(20), open_all(tmp_path) as opened:
        yield opened
