"""What the benchmark says of memory, on the system that needs nothing but grpcio."""

import asyncio
from pathlib import Path

import pytest

from benchmarks import memory
from benchmarks.idle_streams import Waves, measure_memory
from benchmarks.load.held import Hold
from benchmarks.process import ProcessFailed
from benchmarks.systems import open_system
from penstock.client import Client, RunState


async def test_idle_streams_are_opened_wave_by_wave_and_cost_memory_in_the_processes_that_serve(tmp_path: Path) -> None:
    """The first wave is no measurement; each later one has a slope, and more is kept after it than before it."""
    async with asyncio.timeout(120), open_system("chain", tmp_path) as system:
        found = await measure_memory([system], Waves(streams=240, waves=3), "held", lambda line: None)
        assert [(m.workload, m.round) for m in found] == [("held", 1), ("held", 2)]
        # Two relays and an end, at tens of KiB each; the bounds are wide, since they only tell units apart.
        assert all(10 < m.metrics["stream_kb"] < 1_000 for m in found)
        assert found[0].metrics["before_mb"] < found[1].metrics["open_mb"]
        assert found[1].metrics["open_mb"] * 1024 < sum(_resident_kb(pid) for pid in system.pids)


async def test_streams_are_held_until_told_otherwise_and_only_missing_ones_are_opened(tmp_path: Path) -> None:
    """Units are the streams opened for an order; after all were closed, each has to be opened anew."""
    async with asyncio.timeout(120), open_system("chain", tmp_path) as system:
        orders = [Hold(3), Hold(5), Hold(5), Hold(0), Hold(2)]
        assert [(await system.generator.put(order)).units for order in orders] == [3, 2, 0, 0, 2]


async def test_held_streams_that_are_let_go_leave_no_run_of_theirs_behind(tmp_path: Path) -> None:
    """Dropping a stream doesn't end its run, so letting go cancels it; else hundreds would go on under the rounds."""
    async with asyncio.timeout(120), open_system("one", tmp_path) as system:
        await system.generator.put(Hold(3))
        async with Client(system.processes[0].address) as client:
            held = [run.run_id async for run in client.list_runs()]
            await system.generator.put(Hold(0))
            for run_id in held:
                last = [event async for event in client.attach_run(run_id)][-1]
                assert last.run_finished.state == RunState.RUN_STATE_CANCELLED
    assert len(held) == 3


async def test_a_system_that_dies_while_its_memory_is_measured_fails_the_measurement(tmp_path: Path) -> None:
    """What is left of a broken system is no figure."""
    async with asyncio.timeout(120), open_system("chain", tmp_path) as system:
        system.processes[0].process.kill()
        await system.processes[0].process.wait()
        with pytest.raises(ProcessFailed, match="held"):
            await measure_memory([system], Waves(streams=4, waves=2), "held", lambda line: None)
        with pytest.raises(ProcessFailed, match="has ended"):
            memory.of_process(system.processes[0].pid)


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
