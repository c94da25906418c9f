"""What time takes from the logs of runs that have ended: the oldest events, as many as it takes, and none unseen."""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import uuid4

import pytest

from penstock.state.redis.faults import RedisRefused
from penstock.state.redis.removal import remove
from penstock.state.redis.room_keys import RunKeys, room_key
from penstock.state.redis.trimming import Trimmed, trim
from penstock.v1.run_pb2 import DURABILITY_REPLICA
from penstock.wire.errors import OutOfRange
from tests.state import entries as e
from tests.state.house import House
from tests.state.redis.at_hand import AT_ONCE, AtHand, at_hand, sweep, to_its_end
from tests.stores.cluster import ValkeyCluster

__all__ = ["at_hand"]


async def test_a_log_that_can_t_be_trimmed_holds_up_no_other(at_hand: AtHand) -> None:
    """What is wrong with one run is told; of the others it is noted that they are done with."""
    at_hand.halt_walk()
    async with at_hand.process() as house:
        await e.lease(house)
        last = [await to_its_end(house, f"run-{number}") for number in (1, 2)][1]
    at_hand.do("DEL", room_key(at_hand.run("run-1")))
    at_hand.do("SET", room_key(at_hand.run("run-1")), "no room")
    async with at_hand.process(log_retention=AT_ONCE) as house:
        with pytest.raises(RedisRefused, match="WRONGTYPE"):
            await sweep(house)
        assert await _first(house, "run-2") == last - 1
        (left,) = at_hand.do("ZRANGE", at_hand.indexes.counted, 0, -1)
        assert b"run-1" in left


async def test_a_long_log_is_trimmed_piece_by_piece(at_hand: AtHand) -> None:
    """Each frees some ten thousand events at most; readers between two pieces are told how far it is."""
    async with at_hand.process(log_retention=AT_ONCE) as house:
        await e.lease(house)
        last = await to_its_end(house, "run-1", count=0)
        await e.record(house, e.record_entry("run-2"))
        for _ in range(5):
            last = (await e.append_events(house, "run-2", *[e.token()] * 5000)).last_sequence
        last = (await e.append_events(house, "run-2", e.step_finished(), e.run_finished())).last_sequence
        firsts: list[int] = []
        more = True
        while more:
            more = await house.layer.store.sweep()
            log = await house.layer.store.runs.open_log(e.TENANT, "run-2")
            assert log is not None
            firsts.append((await log.state()).first_sequence)
            with pytest.raises(OutOfRange):
                await log.read(0, last, lifecycle_only=False, max_bytes=1000)
            piece = await log.read(firsts[-1] - 1, last, lifecycle_only=False, max_bytes=1000)
            assert piece.events[0].sequence == firsts[-1]
        assert firsts[:2] == [10003, 20003]
        assert set(firsts[2:]) == {last - 1}
        assert at_hand.do("XLEN", RunKeys.of(at_hand.run("run-2"), "run-2").log) == 1


async def test_a_reader_elsewhere_is_never_shown_a_gap(at_hand: AtHand) -> None:
    """It hears of the trimming, or finds that what it wants is not there."""
    async with at_hand.process() as other, at_hand.process(log_retention=AT_ONCE) as house:
        await e.lease(house)
        last = await to_its_end(house, "run-1")
        log = await other.layer.store.runs.open_log(e.TENANT, "run-1")
        assert log is not None
        state = await log.state()
        assert (state.first_sequence, state.last_sequence) == (1, last)
        trimming = asyncio.Event()
        log.watch(trimming.set, lifecycle_only=True)
        await sweep(house)
        async with asyncio.timeout(10):
            while (await log.state()).first_sequence == 1:
                await trimming.wait()
                trimming.clear()
        assert (await log.state()).first_sequence == last - 1
        for lifecycle_only in (False, True):
            with pytest.raises(OutOfRange) as raised:
                await log.read(2, last, lifecycle_only=lifecycle_only, max_bytes=1000)
            assert raised.value.first_sequence == last - 1


async def test_processes_that_sweep_at_once_take_no_more_than_one_would(at_hand: AtHand) -> None:
    """Of many logs those that ended first are trimmed, as many as it takes; and then all runs are removed."""
    most = 12_000
    at_hand.halt_walk()
    async with (
        at_hand.process(max_finished_log_bytes=most) as one,
        at_hand.process(max_finished_log_bytes=most) as two,
        at_hand.process(max_finished_log_bytes=most) as three,
    ):
        await e.lease(one)
        for number in range(60):
            last = await to_its_end(one, f"run-{number:02}", text="x" * 300)
        sizes = [_log_bytes(member) for member in at_hand.do("ZRANGE", at_hand.indexes.to_trim, 0, -1)]
        assert len(sizes) == 60
        await asyncio.gather(sweep(one), sweep(two), sweep(three))
        kept = [await _first(one, f"run-{number:02}") for number in range(60)]
        trimmed = kept.index(1)
        assert kept == [last - 1] * trimmed + [1] * (60 - trimmed)
        assert sum(sizes[trimmed:]) <= most < sum(sizes[trimmed - 1 :])
        assert int(at_hand.do("GET", at_hand.indexes.counted_bytes)) == sum(sizes[trimmed:])
    async with at_hand.process(run_retention=AT_ONCE) as one, at_hand.process(run_retention=AT_ONCE) as two:
        await asyncio.gather(sweep(one), sweep(two))
        assert at_hand.left() == set()
        assert at_hand.do("GET", at_hand.indexes.counted_bytes) == b"0"


async def test_what_the_replicas_have_not_confirmed_is_neither_trimmed_nor_removed(
    valkey_cluster: ValkeyCluster,
) -> None:
    """The sweep has them asked again, and goes on when they have."""
    at_hand = AtHand(valkey_cluster, f"hand-{uuid4().hex}")
    everything = {"log_retention": AT_ONCE, "run_retention": AT_ONCE}
    async with at_hand.process() as house:
        await e.lease(house)
        entry = e.record_entry("run-1")
        entry.spec.durability = DURABILITY_REPLICA
        async with asyncio.timeout(30):
            while not (await e.record(house, entry)).durable:
                pass
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
    fixed = RunKeys.of(at_hand.run("run-1"), "run-1").fixed

    async def confirmed() -> None:
        async with asyncio.timeout(30):
            while at_hand.do("HGET", fixed, "d") != b"4":  # noqa: ASYNC110 - the mark is told to nobody here
                await asyncio.sleep(0.01)

    async with at_hand.rooms() as rooms:
        room = rooms.own_of(e.TENANT, "run-1")
        at_hand.do("HSET", fixed, "d", 2)
        assert (await room.submit(partial(trim, "run-1")))[0] is Trimmed.NOT_YET
        await confirmed()
        at_hand.do("HSET", fixed, "d", 2)
        room = rooms.own_of(e.TENANT, "run-1")
        assert not (await room.submit(partial(remove, "run-1", at_hand.indexes, 1 << 60))).gone
        await confirmed()
    async with at_hand.process(**everything) as house:
        await sweep(house)
        assert not at_hand.do("EXISTS", fixed)


def _log_bytes(member: bytes) -> int:
    return int(member.rpartition(b"\0")[2])


async def _first(house: House, run_id: str) -> int:
    log = await house.layer.store.runs.open_log(e.TENANT, run_id)
    assert log is not None
    return (await log.state()).first_sequence
