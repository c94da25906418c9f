"""The systems that are compared."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.load.workloads import Unary
from benchmarks.process import ProcessFailed
from benchmarks.systems import open_system, penstock_of

OTHER = """
raise SystemExit("the other checkout's code")
"""


async def test_penstock_of_another_checkout_runs_that_checkouts_code(tmp_path: Path) -> None:
    """Else this code would be compared with itself, and nothing would ever have become slower."""
    package = tmp_path / "before" / "servers" / "penstock" / "server"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "main.py").write_text(OTHER)
    with pytest.raises(ProcessFailed, match="the other checkout's code"):
        async with asyncio.timeout(120), open_system("one-other", tmp_path, penstock_of(tmp_path / "before")):
            raise AssertionError("it has started")


async def test_a_collector_gets_what_penstock_exports_and_its_cpu_time_is_not_penstocks(tmp_path: Path) -> None:
    """Leaving the system fails unless both traces and metrics have arrived."""
    async with asyncio.timeout(120), open_system("one-otel", tmp_path) as system:
        assert [served.name for served in system.processes] == ["penstock"]
        assert (await system.generator.put(Unary(at_once=2, seconds=0.1))).units > 0
    assert len((tmp_path / "one-otel" / "otlp-collector.log").read_text().splitlines()) == 2
