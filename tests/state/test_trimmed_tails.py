"""Following runs whose logs are trimmed meanwhile."""

from __future__ import annotations

import grpc
import grpc.aio

from penstock.state.settings import StateSettings
from penstock.v1 import run_log_pb2 as pb
from penstock.wire.errors import OutOfRange
from penstock.wire.status import from_status
from tests.state import entries as e
from tests.state.house import House, open_house
from tests.state.tail_reader import PLENTY, reading

LIFECYCLE, SIGNALS = pb.TailInclude.TAIL_INCLUDE_LIFECYCLE, pb.TailInclude.TAIL_INCLUDE_SIGNALS


def nothing_kept(url: str) -> StateSettings:
    return StateSettings(url=url, log_retention=1e-6, sweep_seconds=3600, lifecycle_topic="")


async def swept(house: House) -> None:
    while await house.layer.store.sweep():
        pass


async def test_a_tail_that_trimming_overtakes_is_told_where_the_log_begins_now(url: str) -> None:
    """It never sees a gap; others on the stream read on, and those who want signals alone don't notice."""
    async with open_house(nothing_kept(url)) as house, reading(house) as reader:
        await e.lease(house)
        for run_id in ("run-1", "run-2"):
            await e.record(house, e.record_entry(run_id))
        await e.append_events(house, "run-1", *[e.token("x" * 1000) for _ in range(10)])
        await reader.open(1, "run-1", credit=1)
        await reader.open(2, "run-2")
        await reader.until(1, 1)
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
        await swept(house)
        await reader.give(1, PLENTY)
        failed = from_status((await reader.closed(1)).error)
        assert isinstance(failed, OutOfRange)
        assert (failed.first_sequence, failed.metadata["run_id"]) == (13, "run-1")
        assert reader.sequences(1) == [1]
        await reader.open(3, "run-1", after_sequence=failed.first_sequence - 1)
        await reader.closed(3)
        assert reader.sequences(3) == [13, 14]
        await reader.open(4, "run-1", include=[SIGNALS])
        assert not (await reader.closed(4)).HasField("error")
        await reader.open(5, "run-1", include=[LIFECYCLE])
        assert isinstance(from_status((await reader.closed(5)).error), OutOfRange)
        await e.append_events(house, "run-2", e.token())
        await reader.until(2, 3)


async def test_the_last_tail_of_a_stream_fails_aloud(url: str) -> None:
    """Also when its reader has asked for its last: the stream ends after the news, not before it."""
    async with open_house(nothing_kept(url)) as house, reading(house) as reader:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        await e.append_events(house, "run-1", e.token("x" * 1000), e.token())
        await reader.open(1, "run-1", credit=1)
        await reader.until(1, 1)
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
        await swept(house)
        await reader.give(1, PLENTY)
        await reader.call.done_writing()
        assert isinstance(from_status((await reader.closed(1)).error), OutOfRange)
        assert await reader.call.read() is grpc.aio.EOF
        assert await reader.call.code() is grpc.StatusCode.OK
