"""Ten minutes of full load on a state process, whose memory and files must not grow with what is past."""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.force.load import Load
from tests.force.replica import open_replicas
from tests.force.stores import open_place
from tests.topologies.test_load import resident_kib

MEBIBYTE = 1024 * 1024
LOOK_SECONDS = 1.0
# What is past is soon forgotten, so that all that could grow has had the time to.
RETENTION = {"PENSTOCK_LAYERS__STATE__LOG_RETENTION": "10", "PENSTOCK_LAYERS__STATE__RUN_RETENTION": "20"}


async def watch(looks: dict[str, Callable[[], float]], seconds: float) -> dict[str, list[float]]:
    """Looks at several sizes once a second for some time."""
    seen: dict[str, list[float]] = {name: [] for name in looks}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, look in looks.items():
            seen[name].append(look())
        await asyncio.sleep(LOOK_SECONDS)  # the time that passes is the experiment itself
    return seen


def grown(sizes: list[float]) -> float:
    """By how much the median of the last quarter is above that of the second."""
    quarter = len(sizes) // 4
    second, last = sorted(sizes[quarter : 2 * quarter]), sorted(sizes[-quarter:])
    return last[len(last) // 2] - second[len(second) // 2]


@pytest.mark.parametrize("kind", ["sqlite", "valkey"])
async def test_nothing_grows_with_what_is_past(
    kind: str, tmp_path: Path, seed: int, request: pytest.FixtureRequest
) -> None:
    """Under full load the process's memory levels off, and the write-ahead log stays below 64 MiB."""
    seconds = request.config.getoption("--soak-seconds")
    with open_place(kind, tmp_path) as place:
        async with open_replicas([place.url], tmp_path, **RETENTION) as (replica,):
            load = Load([replica.door], random.Random(seed), writers=32, forgetful=True)
            wal = tmp_path / "state.db-wal"
            looks: dict[str, Callable[[], float]] = {
                "memory": lambda: resident_kib(replica.daemon.pid) / 1024,
                "write-ahead log": lambda: wal.stat().st_size / MEBIBYTE if wal.exists() else 0.0,
                "entries": lambda: load.counts["entries"],
            }
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run(stop))
                seen = await watch(looks, seconds)
                stop.set()
            for name in ("memory", "write-ahead log"):
                steps = seen[name][:: max(1, len(seen[name]) // 10)]
                print(f"{kind}: {name} (MiB): {' '.join(f'{size:.1f}' for size in steps)}")
            rate = load.counts["entries"] / seconds
            print(f"{kind}: {rate:.0f} entries/s, {load}, seed {seed}")
            assert max(seen["write-ahead log"]) < 64
            assert grown(seen["memory"]) < 8 + 0.05 * max(seen["memory"])
            assert seen["entries"][-1] > seen["entries"][len(seen["entries"]) // 2]
