"""The state layer's benchmark measures what it says, and draws it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.state.history import flat, wal
from benchmarks.state.house import open_house
from benchmarks.state.plots import PICTURES, write_plots
from benchmarks.state.talking import talk, talk_paced
from benchmarks.state.two_states import open_two_states
from benchmarks.state.valkey import open_valkey
from benchmarks.state.workloads import Bench, alone, bare, batched, flood, idle_ticks, paced


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    """A state layer over a new file, on which each load lasts a moment."""
    url = f"sqlite:///{tmp_path}/state.db"
    async with open_house(url) as house:
        yield Bench(house, url, tmp_path, 0.1)


async def test_each_load_is_counted_and_timed(bench: Bench) -> None:
    """All that was appended was seen by a follower, or the load would not end."""
    for workload in (flood, batched, alone, paced):
        metrics = await workload(bench)
        assert metrics["cpu_us"] > 0
        assert metrics["per_second"] > 0
        assert 0 < metrics["p50_ms"] <= metrics["p99_ms"] <= metrics["max_ms"]
    for workload in (bare, idle_ticks):
        assert (await workload(bench))["cpu_us"] > 0


async def test_a_past_and_a_full_load_are_measured_too(bench: Bench) -> None:
    """With ratios of the one to the other, the length of the -wal, and the loop's stalls."""
    past = await flat(bench, runs=20, events=200)
    assert past["append_ratio"] == pytest.approx(past["append_with_past_us"] / past["append_us"])
    assert (await wal(bench))["wal_mib"] > 0


async def test_talk_is_followed_at_another_process_and_counted_in_the_redis(tmp_path: Path) -> None:
    """All that was said through the one was seen at the other, or the load would not end; both used the Redis."""
    async with open_valkey(tmp_path) as url, open_two_states(url, tmp_path) as states:
        for metrics in (await talk(states, 0.3, streams=8), await talk_paced(states, 0.4, streams=8)):
            assert 0 < metrics["p50_ms"] <= metrics["p99_ms"] <= metrics["max_ms"]
            assert metrics["tokens_per_entry"] >= 1
            assert metrics["entries_per_100"] == pytest.approx(100 / metrics["tokens_per_entry"])
            assert metrics["tokens_per_news"] > 0
            assert metrics["cpu_us"] == pytest.approx(metrics["writing_us"] + metrics["following_us"])
            assert metrics["cpu_us"] > 0


def test_there_is_a_picture_of_what_was_measured_only(tmp_path: Path) -> None:
    """Each is a whole SVG file beside the result."""
    found = {"followers": [{"follower_kb": 12.0, "p99_ms": 3.0, "p99_beside_stopped_ms": 3.1}]}
    drawn = write_plots(found, tmp_path / "state.json")
    assert sorted(file.name for file in drawn) == ["state-followers.svg", "state-stopped.svg"]
    for file in drawn:
        assert ElementTree.parse(file).getroot().tag.endswith("svg")
    assert len({picture.name for picture in PICTURES}) == len(PICTURES)
