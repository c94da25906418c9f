"""A follower hears of each event, also when somebody else's look at the run comes before the news of it."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from penstock.state.redis import log_followed
from penstock.state.redis.address import parse_address
from penstock.state.redis.store import open_redis
from penstock.state.settings import StateSettings
from penstock.v1.run_log_pb2 import AppendEventsEntry, AppendOutcome, ReadEventsRequest
from tests.state import entries as e
from tests.state.house import open_house
from tests.state.redis.at_hand import AtHand, at_hand
from tests.stores.server import ValkeyServer, serving

__all__ = ["at_hand"]

TIMES = 100


async def test_a_look_that_is_quicker_than_the_news_wakes_whoever_follows(at_hand: AtHand) -> None:
    """What has been taken in is no news any more when that comes, and nobody else would tell the others."""
    settings = StateSettings(url=at_hand.url)
    async with open_house(settings) as house:
        await e.lease(house)
        record = (await e.record(house, e.record_entry("run-1"))).record
    address = parse_address(at_hand.url)
    async with open_redis(address, settings) as writing, open_redis(address, settings) as reading:
        log = await reading.runs.open_log(e.TENANT, "run-1")
        assert log is not None
        news = asyncio.Event()
        log.watch(news.set, lifecycle_only=False)
        for number in range(1, TIMES + 1):
            news.clear()
            entry = AppendEventsEntry(
                tenant=e.TENANT,
                run_id="run-1",
                epoch=record.epoch,
                step_id="main",
                attempt=1,
                writer_id="w",
                writer_sequence=number,
                events=[e.token("x")],
            )
            async with asyncio.TaskGroup() as group:
                appending = group.create_task(_appended(writing.runs.append(entry)))
                while not appending.done():
                    assert await reading.runs.open_log(e.TENANT, "run-1") is not None
            async with asyncio.timeout(5):
                while (await log.state()).last_sequence < appending.result() or not news.is_set():
                    await news.wait()


async def test_a_run_that_went_without_a_trace_ends_its_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody emptied the server: no event says so, and nobody would wait for ever."""
    monkeypatch.setattr(log_followed, "PATROL_S", 0.1)
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        async with open_house(StateSettings(url=server.url)) as house:
            await e.lease(house)
            await e.record(house, e.record_entry("run-1"))
            call = house.log.ReadEvents(ReadEventsRequest(tenant=e.TENANT, run_id="run-1", follow=True))
            assert (await call.read()).events
            server.command("FLUSHALL")
            async with asyncio.timeout(10):
                with pytest.raises(grpc.aio.AioRpcError) as gone:
                    await call.read()
            assert gone.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_run_that_is_known_to_be_gone_ends_its_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that found nothing left no place to look at, and the look went round for ever, as fast as it could."""
    monkeypatch.setattr(log_followed, "PATROL_S", 0.1)
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        async with open_house(StateSettings(url=server.url)) as house:
            await e.lease(house)
            await e.record(house, e.record_entry("run-1"))
            call = house.log.ReadEvents(ReadEventsRequest(tenant=e.TENANT, run_id="run-1", follow=True))
            assert (await call.read()).events
            server.command("FLUSHALL")
            appended = await e.append_events(house, "run-1", e.token("x"))
            assert appended.outcome == AppendOutcome.APPEND_OUTCOME_NOT_FOUND
            async with asyncio.timeout(10):
                with pytest.raises(grpc.aio.AioRpcError) as gone:
                    await call.read()
            assert gone.value.code() is grpc.StatusCode.NOT_FOUND


async def _appended(appending: "asyncio.Future[object]") -> int:
    return (await appending).last_sequence  # type: ignore[attr-defined] # of the store's own answer
