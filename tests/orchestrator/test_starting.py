"""What starting a run promises: recorded means driven, also when an answer is lost or a caller has gone."""

import asyncio

import grpc
import pytest

from penstock.v1.run_pb2 import RUN_STATE_SUCCEEDED
from tests.orchestrator.site import AGENTS


async def test_a_run_whose_record_was_not_acknowledged_is_looked_for_and_driven(site):
    """Its caller hears that it is not known; no run hangs on an owner who never heard of it."""
    site.state.wire.lose["RecordRuns"] = 1
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await site.start("r", agent="echo")
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (await site.ended("r"))[0].state == RUN_STATE_SUCCEEDED


async def test_a_repeat_after_a_lost_answer_gets_the_run_and_starts_nothing_twice(site, scene):
    """Whichever comes first, the repeat or the look for the run."""
    site.state.wire.lose["RecordRuns"] = 1
    with pytest.raises(grpc.aio.AioRpcError):
        await site.start("r", agent="echo")
    again = await site.start("r", agent="echo")
    assert (again.run.run_id, again.created) == ("r", False)
    end, _ = await site.ended("r")
    assert (end.state, scene.runs) == (RUN_STATE_SUCCEEDED, 1)


async def test_a_run_is_driven_although_its_caller_has_gone(site):
    """Once it is on its way to the record, nobody but a cancel stops it."""
    gate = site.state.wire.hold("RecordRuns")
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(site.start("r", agent="echo"))
        await gate.arrived.wait()
        asking.cancel()
    site.state.wire.let_go("RecordRuns")
    # What is recorded in the same order: once the second is there, so is the first.
    await site.start("next", agent="echo")
    assert (await site.ended("r"))[0].state == RUN_STATE_SUCCEEDED


async def test_runs_that_come_together_are_recorded_together(site):
    """What comes while one RecordRuns is in flight goes into the next."""
    await site.start("warm-up", agent="echo")
    site.state.wire.calls.clear()
    gate = site.state.wire.hold("RecordRuns")
    async with asyncio.TaskGroup() as group:
        group.create_task(site.start("first", agent="echo"))
        await gate.arrived.wait()
        for number in range(10):
            group.create_task(site.start(f"r{number}", agent="echo"))
        for _ in range(50):  # every turn of the loop that they could need to come as far
            await asyncio.sleep(0)
        site.state.wire.let_go("RecordRuns")
    assert site.state.wire.calls["RecordRuns"] == 2


async def test_runs_that_come_together_ask_for_the_agents_once(site):
    """A slow executor is asked by one of them, and answers all."""
    gate = site.to_executor.hold("DescribeAgents")
    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(site.start(f"r{number}", agent="echo"))
        await gate.arrived.wait()
        for _ in range(50):  # every turn of the loop that the others could need to come as far
            await asyncio.sleep(0)
        site.to_executor.let_go("DescribeAgents")
    assert site.to_executor.calls["DescribeAgents"] == 1


async def test_an_agent_that_there_is_not_is_refused_with_the_nearest_names(site):
    """And nothing is recorded."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await site.start("r", agent="ecko")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    assert "did you mean 'echo'" in raised.value.details()
    assert "echo" in AGENTS
    assert await site.state.read("r") is None
