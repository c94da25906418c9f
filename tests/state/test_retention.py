"""What goes with time goes in order, and never what somebody may still need."""

from __future__ import annotations

from dataclasses import dataclass

import grpc.aio
import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_pb2 import RunState
from penstock.wire.errors import OutOfRange
from tests.state import entries as e
from tests.state.house import House, error_of, open_house

AT_ONCE = 1e-6


@dataclass(frozen=True, slots=True)
class Kept:
    """Says what may be kept for how long."""

    log_retention: float = 0.0
    run_retention: float = 0.0
    max_finished_log_bytes: int = 0

    def settings(self, url: str) -> StateSettings:
        """Settings under which only the test itself sweeps."""
        return StateSettings(
            url=url,
            log_retention=self.log_retention,
            run_retention=self.run_retention,
            max_finished_log_bytes=self.max_finished_log_bytes,
            sweep_seconds=3600,
            lifecycle_topic="",
        )


async def sweep(house: House) -> None:
    """Sweeps until there is no more to do."""
    while await house.layer.store.sweep():
        pass


async def run_to_its_end(house: House, run_id: str, text: str = "word") -> int:
    """Records a run, has it say something ten times, and ends it; returns its last sequence."""
    await e.record(house, e.record_entry(run_id, labels={"kind": "talk"}))
    for _ in range(10):
        await e.append_events(house, run_id, e.token(text))
    finish = [e.step_finished(output="the answer"), e.run_finished(output_step="main")]
    return (await e.append_events(house, run_id, *finish)).last_sequence


async def first_kept(house: House, run_id: str) -> int:
    """Reads a log from its begin; returns the first sequence that is kept of it."""
    try:
        events = await e.read_log(house, run_id)
    except grpc.aio.AioRpcError as raised:
        error = error_of(raised)
        assert isinstance(error, OutOfRange)
        return int(error.metadata["first_sequence"])
    return events[0].sequence


async def test_of_a_run_that_ended_long_ago_only_the_end_is_kept(url: str) -> None:
    """Its record and output are whole, the end can be read, and a cursor before it is told where to go on."""
    async with open_house(Kept(log_retention=AT_ONCE).settings(url)) as house:
        await e.lease(house)
        last = await run_to_its_end(house, "run-1")
        before = await e.run_record(house, "run-1")
        await sweep(house)
        assert await first_kept(house, "run-1") == last - 1
        assert e.kinds(await e.read_log(house, "run-1", after=last - 2)) == ["step_finished", "run_finished"]
        assert await e.run_record(house, "run-1") == before
        assert [part.text for part in before.run.output] == ["the answer"]
    async with open_house(Kept().settings(url)) as house:
        assert await first_kept(house, "run-1") == last - 1
        assert await e.run_record(house, "run-1") == before


async def test_the_repeat_of_an_ending_is_known_after_the_log_was_trimmed(url: str) -> None:
    """A writer that never heard of its last entry's success is told of it, however late it asks."""
    async with open_house(Kept(log_retention=AT_ONCE).settings(url)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        ending = e.append_entry("run-1", e.step_finished(), e.run_finished(output_step="main"))
        (first,) = await e.append(house, ending)
        await sweep(house)
        (second,) = await e.append(house, ending)
        assert (second.outcome, second.first_sequence) == (pb.APPEND_OUTCOME_REPEATED, first.first_sequence)


async def test_an_output_is_kept_though_much_came_after_it(url: str) -> None:
    """A step's output is in its own entry; where that is the run's output too, the log is kept from there."""
    async with open_house(Kept(log_retention=AT_ONCE).settings(url)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        await e.append_events(house, "run-1", e.token(), e.token())
        output = await e.append_events(house, "run-1", e.step_finished(output="the answer"))
        await e.append_as_owner(house, "run-1", e.run_finished(output_step="main"))
        await sweep(house)
        assert await first_kept(house, "run-1") == output.first_sequence
        assert [part.text for part in (await e.run_record(house, "run-1")).run.output] == ["the answer"]


async def test_a_run_that_goes_on_is_never_trimmed(url: str) -> None:
    """However old it is, and however much all runs have said together."""
    async with open_house(Kept(AT_ONCE, AT_ONCE, max_finished_log_bytes=1).settings(url)) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        await e.append_events(house, "run-1", e.token("x" * 1000))
        await sweep(house)
        assert len(await e.read_log(house, "run-1")) == 3


async def test_beyond_a_size_the_logs_of_those_that_ended_first_are_trimmed(url: str) -> None:
    """As many as it takes, and no more."""
    async with open_house(Kept(max_finished_log_bytes=25_000).settings(url)) as house:
        await e.lease(house)
        for number in range(4):
            last = await run_to_its_end(house, f"run-{number}", "x" * 1000)
            await sweep(house)
        assert [await first_kept(house, f"run-{number}") for number in range(4)] == [last - 1, last - 1, 1, 1]
    async with open_house(Kept(max_finished_log_bytes=15_000).settings(url)) as house:
        await sweep(house)
        assert [await first_kept(house, f"run-{number}") for number in range(4)] == [last - 1, last - 1, last - 1, 1]


async def test_nothing_of_a_run_is_kept_for_ever(url: str) -> None:
    """It is in no list, its log can't be opened, and its key may be used again for another run."""
    async with open_house(Kept(run_retention=AT_ONCE).settings(url)) as house:
        await e.lease(house)
        await run_to_its_end(house, "run-1")
        await sweep(house)
        read = await house.log.ReadRuns(pb.ReadRunsRequest(runs=[pb.RunName(tenant=e.TENANT, run_id="run-1")]))
        assert not read.records
        for labels in ({}, {"kind": "talk"}):
            assert not (await house.log.FindRuns(pb.FindRunsRequest(tenant=e.TENANT, labels=labels))).runs
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await e.read_log(house, "run-1")
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND
        anew = await e.record(house, e.record_entry("run-1", text="something else"))
        assert anew.outcome == pb.RECORD_OUTCOME_STARTED
        assert e.kinds(await e.read_log(house, "run-1")) == ["run_started", "step_started"]


async def test_a_log_that_is_open_when_its_run_is_removed_is_never_another_runs(url: str) -> None:
    """Whoever held on to it is told that it is gone, also when runs came after it."""
    async with open_house(Kept(run_retention=AT_ONCE).settings(url)) as house:
        await e.lease(house)
        last = await run_to_its_end(house, "run-1")
        log = await house.layer.store.runs.open_log(e.TENANT, "run-1")
        assert log is not None
        await sweep(house)
        await e.record(house, e.record_entry("run-2", tenant="other"))
        await e.append_events(house, "run-2", *[e.token("secret")] * last, tenant="other")
        with pytest.raises(Exception, match="run-1"):
            await log.state()


async def test_runs_that_ended_in_any_way_are_trimmed_and_removed(url: str) -> None:
    """Also those that were cancelled before they began, which have one event."""
    async with open_house(Kept(log_retention=AT_ONCE).settings(url)) as house:
        await e.record(house, e.record_entry("run-1", owner=""))
        await e.cancel(house, "run-1")
        await sweep(house)
        assert e.kinds(await e.read_log(house, "run-1")) == ["run_finished"]
        assert (await e.run_record(house, "run-1")).run.state == RunState.RUN_STATE_CANCELLED
    async with open_house(Kept(run_retention=AT_ONCE).settings(url)) as house:
        await sweep(house)
        read = await house.log.ReadRuns(pb.ReadRunsRequest(runs=[pb.RunName(tenant=e.TENANT, run_id="run-1")]))
        assert not read.records
