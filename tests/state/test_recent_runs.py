"""What is kept in memory for followers says what the file says, and is bounded."""

from __future__ import annotations

from pathlib import Path

from penstock.state.settings import StateSettings
from penstock.state.sqlite.recent import Chunk, RecentRuns
from penstock.state.stores import LogState
from penstock.v1 import run_log_pb2 as pb
from penstock.v1.run_event_pb2 import RunEvent
from tests.state import entries as e
from tests.state.house import House, open_house

RUN = "run-1"
LARGE = "x" * 40_000  # a few of these are more than is kept of one run


async def logs_from_everywhere(house: House) -> list[list[RunEvent]]:
    """The log from each cursor on, with and without tokens."""
    return [
        await e.read_log(house, RUN, after=after, include=[include])
        for after in range(10)
        for include in (pb.TAIL_INCLUDE_EVENTS, pb.TAIL_INCLUDE_LIFECYCLE)
    ]


async def test_memory_and_file_tell_the_same_log_from_every_cursor(tmp_path: Path) -> None:
    """Also from cursors behind what memory has, in the middle of an entry, and after a refused one."""
    settings = StateSettings(url=f"sqlite:///{tmp_path}/state.db")
    async with open_house(settings) as house:
        await e.lease(house)
        await e.record(house, e.record_entry(RUN))
        for text in (LARGE, LARGE, "short", LARGE, LARGE):
            await e.append_events(house, RUN, e.token(text), e.token("more"))
            refused = await e.append_events(house, RUN, e.token("lost"), e.step_finished(attempt=7))
            assert refused.outcome == pb.APPEND_OUTCOME_INVALID
        from_memory = await logs_from_everywhere(house)
    async with open_house(settings) as house:
        assert await logs_from_everywhere(house) == from_memory
    assert [event.sequence for event in from_memory[0]] == list(range(1, 13))


def test_memory_is_bounded_for_a_run_and_for_all() -> None:
    """The oldest chunks of a long run go first, then the runs that have been silent longest."""
    runs = RecentRuns(most_runs=2)
    event = RunEvent(sequence=1)
    for first in range(1, 11):
        chunk = Chunk(first, first, lifecycle=False, size=40_000, events=[event])
        runs.grow(("acme", "long"), 1, 1, LogState(first, finished=False), chunk)
    long = runs.get("acme", "long")
    assert long is not None
    assert [chunk.first for chunk in long.since(1)] == [8, 9, 10]
    assert [long.reaches_back_to(sequence) for sequence in (7, 8, 10, 11)] == [False, True, True, True]
    for name in ("second", "third"):
        runs.grow(("acme", name), 2, 1, LogState(1, finished=True), Chunk(1, 1, True, 10, [event]))
    assert runs.get("acme", "long") is None
    assert runs.get("acme", "third") is not None


def test_one_event_larger_than_the_bound_is_not_kept_but_known() -> None:
    """The run's state is still told from memory; its events are the file's to tell."""
    runs = RecentRuns(most_runs=2)
    chunk = Chunk(1, 1, lifecycle=True, size=1_000_000, events=[RunEvent(sequence=1)])
    runs.grow(("acme", "big"), 1, 1, LogState(1, finished=False), chunk)
    big = runs.get("acme", "big")
    assert big is not None
    assert big.state.last_sequence == 1
    assert not big.reaches_back_to(1)
    assert big.reaches_back_to(2)
