"""The benchmark's own workings, on the system that needs nothing but grpcio."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.load.workloads import Flood, Paced, Unary, Workload
from benchmarks.process import ProcessFailed
from benchmarks.rounds import measure
from benchmarks.systems import open_system

WORKLOADS: dict[str, Workload] = {
    "unary": Unary(at_once=4, seconds=0.3),
    "paced": Paced(streams=4, per_second=25, seconds=0.2, begin_within=0.04),
    "flood": Flood(tokens=200, seconds=0.1),
}


async def test_each_workload_measures_the_cpu_time_of_every_process_and_leaves_none_behind(tmp_path: Path) -> None:
    """All work is counted, its cost is real, and three services and a load generator have ended at the end."""
    async with asyncio.timeout(20):
        async with open_system("chain", tmp_path) as system:
            assert [served.name for served in system.processes] == [
                "grpc-executor",
                "grpc-orchestrator",
                "grpc-gateway",
            ]
            found = {name: (await measure(system, name, load, 0)).metrics for name, load in WORKLOADS.items()}
        processes = [system.generator.process, *(served.process for served in system.processes)]
    assert all(process.returncode is not None for process in processes)
    assert found["paced"]["units"] == 4 * 5
    assert found["flood"]["units"] % 200 == 0
    assert found["unary"]["cpu_us"] > 0
    assert 0 < found["unary"]["call_p50_ms"] <= found["unary"]["call_p99_ms"]
    assert found["paced"]["first_token_p50_ms"] > 0


async def test_a_call_that_fails_fails_the_measurement(tmp_path: Path) -> None:
    """Nothing is reported of a system that didn't do the work."""
    async with asyncio.timeout(20), open_system("chain", tmp_path) as system:
        system.processes[0].process.kill()
        await system.processes[0].process.wait()
        with pytest.raises(ProcessFailed, match="UNAVAILABLE"):
            await system.generator.put(WORKLOADS["unary"])
        with pytest.raises(ProcessFailed, match="has ended"):
            await measure(system, "unary", WORKLOADS["unary"], 0)
