"""Fixtures of the run log's tests."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.run_log.faulty_state import FaultyState, open_faulty_state


@pytest.fixture
async def state(tmp_path: Path) -> AsyncGenerator[FaultyState]:
    """A real state layer behind a wire that can be broken."""
    async with asyncio.timeout(20), open_faulty_state(tmp_path) as opened:
        yield opened
