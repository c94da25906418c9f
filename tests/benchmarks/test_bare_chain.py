"""The benchmark's own workings, on the system that needs nothing but grpcio."""

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from benchmarks.load.workloads import First, Flood, Paced, Unary, Workload
from benchmarks.process import ProcessFailed
from benchmarks.rounds import measure, run_rounds
from benchmarks.systems import open_system
from benchmarks.work import task, work

WORKLOADS: dict[str, Workload] = {
    "unary": Unary(at_once=4, seconds=0.3),
    "paced": Paced(streams=4, per_second=25, seconds=0.2, begin_within=0.04),
    "first": First(seconds=0.5),
    "flood": Flood(tokens=200, seconds=0.1),
}


async def test_each_workload_measures_the_cpu_time_of_every_process_and_leaves_none_behind(tmp_path: Path) -> None:
    """All work is counted, its cost is real, and three services and a load generator have ended at the end."""
    async with asyncio.timeout(120):
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
    assert 0 < found["first"]["first_token_p50_ms"] <= found["first"]["first_token_p99_ms"]


async def test_a_token_is_late_by_when_it_was_due_however_late_it_was_made() -> None:
    """An agent that isn't woken in time says so itself: its tokens carry their due times, at the pace asked for."""
    begin = time.monotonic()
    async with aclosing(work(task(4, 100))) as tokens:
        due = [float(await anext(tokens))]
        while time.monotonic() < begin + 0.03:
            pass  # keeps the loop from waking the agent, as an overloaded process would
        due += [float(token) async for token in tokens]
    assert [round(later - due[0], 4) for later in due] == [0, 0.01, 0.02, 0.03]


async def test_no_round_is_begun_that_would_end_after_its_time(tmp_path: Path) -> None:
    """The first is measured whatever time there is; so a slow machine ends in time too, with fewer rounds."""
    said: list[str] = []
    async with asyncio.timeout(120), open_system("chain", tmp_path) as system:
        until = time.monotonic()
        found = await run_rounds([system], {"unary": WORKLOADS["unary"]}, 3, until, said.append)
    assert [measurement.round for measurement in found] == [0]
    assert said[-1] == "no time is left for 2 more"


async def test_a_call_that_fails_fails_the_measurement(tmp_path: Path) -> None:
    """Nothing is reported of a system that didn't do the work."""
    async with asyncio.timeout(120), open_system("chain", tmp_path) as system:
        system.processes[0].process.kill()
        await system.processes[0].process.wait()
        with pytest.raises(ProcessFailed, match="UNAVAILABLE"):
            await system.generator.put(WORKLOADS["unary"])
        with pytest.raises(ProcessFailed, match="has ended"):
            await measure(system, "unary", WORKLOADS["unary"], 0)
