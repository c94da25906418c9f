"""Indexes lie in other slots than rooms: whatever of the two is lost alone, they come to agree again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from penstock.state.redis.index_repair import IndexRepair
from penstock.state.redis.leases import Leases
from penstock.state.redis.room_keys import room_key
from penstock.state.redis.run_indexes import RunIndexes
from penstock.state.redis.session_history import SessionHistory
from penstock.state.redis.store_walk import Pace
from penstock.v1 import run_log_pb2 as pb
from penstock.v1 import session_pb2
from penstock.v1.run_pb2 import RunState
from tests.state import entries as e
from tests.state.house import House
from tests.state.redis.at_hand import AtHand, at_hand, sweep
from tests.state.redis.links import linked

__all__ = ["at_hand"]

AT_ONCE = 1e-6
LABELS = {"kind": "talk"}


async def walk(house: House, at_hand: AtHand, mended: Callable[[], bool]) -> None:
    """Sweeps, without waiting between the walk's pieces, until an index is mended."""
    async with asyncio.timeout(20):
        while not mended():
            at_hand.hurry_walk()
            await house.layer.store.sweep()


async def found(house: House, **conditions: Any) -> set[str]:
    page = await house.log.FindRuns(pb.FindRunsRequest(tenant=e.TENANT, **conditions))
    return {run.run_id for run in page.runs}


async def one_of_each(house: House) -> None:
    """Runs that wait, that go on, and that have ended, in sessions and by themselves."""
    await e.lease(house)
    await e.record(house, e.record_entry("queued", owner="", session="s", labels=LABELS))
    await e.record(house, e.record_entry("alone", owner="", labels=LABELS))
    await e.record(house, e.record_entry("going", session="t", labels=LABELS))
    for run_id, session in (("ended", ""), ("said", "u")):
        await e.record(house, e.record_entry(run_id, session=session, labels=LABELS))
        await e.append_events(house, run_id, e.step_finished(), e.run_finished(output_step="main"))


ALL = {"queued", "alone", "going", "ended", "said"}
ENDED = {"ended", "said"}


async def test_runs_that_indexes_have_lost_are_put_back(at_hand: AtHand) -> None:
    """Into every list, to those that may be claimed, to their owners, and to what time asks for."""
    indexes = at_hand.indexes
    async with at_hand.process() as house:
        await one_of_each(house)
        await sweep(house)
        lost = {
            indexes.tenant(e.TENANT): 5,
            indexes.state(e.TENANT, RunState.RUN_STATE_QUEUED): 3,
            indexes.state(e.TENANT, RunState.RUN_STATE_SUCCEEDED): 2,
            indexes.label(e.TENANT, "kind", "talk"): 5,
            indexes.owned(e.OWNER): 1,
            indexes.claimable: 2,
            indexes.counted: 2,
            indexes.to_remove: 2,
            indexes.unused: 3,
        }
        before = {key: at_hand.do("ZRANGE", key, 0, -1) for key in lost}
        assert {key: len(members) for key, members in before.items()} == lost
        for key in lost:
            at_hand.do("DEL", key)
        at_hand.do("DEL", indexes.counted_bytes)
        assert await found(house) == set()
        await walk(house, at_hand, lambda: all(at_hand.do("ZCARD", key) == count for key, count in lost.items()))
        for key, members in before.items():
            assert set(at_hand.do("ZRANGE", key, 0, -1)) == set(members)
        assert await found(house) == ALL
        assert await found(house, states=[RunState.RUN_STATE_SUCCEEDED]) == ENDED
        assert await found(house, labels=LABELS) == ALL
        assert {claimed.record.run.run_id for claimed in (await e.claim(house)).runs} == {"queued", "alone"}


async def test_runs_whose_ends_indexes_have_lost_still_go_with_time(at_hand: AtHand) -> None:
    """Their logs are trimmed, and at last they are removed."""
    indexes = at_hand.indexes
    async with at_hand.process() as house:
        await one_of_each(house)
        await sweep(house)
        for key in (indexes.counted, indexes.counted_bytes, indexes.to_remove):
            at_hand.do("DEL", key)
    async with at_hand.process(log_retention=AT_ONCE) as house:
        await walk(house, at_hand, lambda: at_hand.do("ZCARD", indexes.to_remove) == 2)
        await sweep(house)
        for run_id in ENDED:
            log = await house.layer.store.runs.open_log(e.TENANT, run_id)
            assert log is not None
            assert (await log.state()).first_sequence == 3
    async with at_hand.process(run_retention=AT_ONCE) as house:
        await sweep(house)
        assert await found(house) == ALL - ENDED


async def test_a_session_s_run_is_reachable_again_whose_pointer_was_lost(at_hand: AtHand) -> None:
    """Its id alone tells nothing about where it is."""
    async with at_hand.process() as house:
        await one_of_each(house)
        at_hand.do("DEL", room_key(at_hand.run("going")))
    async with at_hand.process() as house:
        refused = await e.append_events(house, "going", e.token())
        assert refused.outcome == pb.APPEND_OUTCOME_NOT_FOUND
        await walk(house, at_hand, lambda: bool(at_hand.do("EXISTS", room_key(at_hand.run("going")))))
        assert (await e.append_events(house, "going", e.token())).outcome == pb.APPEND_OUTCOME_APPENDED


async def test_a_pointer_to_a_run_that_was_never_recorded_goes(at_hand: AtHand) -> None:
    """Then the id may be used in any session; those that lead to runs stay."""
    async with at_hand.process() as house:
        await one_of_each(house)
        own = room_key(at_hand.run("never"))
        at_hand.do("HSET", own, "v", 1, "p", "lost", "t", f"{e.TENANT}\0", "r", "never")
        differs = await e.record(house, e.record_entry("never", session="other"))
        assert differs.outcome == pb.RECORD_OUTCOME_DIFFERS
        others = [room_key(at_hand.run(run_id)) for run_id in ("queued", "going", "said")]
        for pointer in (own, *others):
            at_hand.do("HSET", pointer, "v", 1)
        await repairing(at_hand, lambda: not at_hand.do("EXISTS", own), settled_us=0)
        assert [at_hand.do("HGET", pointer, "v") for pointer in others] == [b"1"] * 3
        anew = await e.record(house, e.record_entry("never", session="other"))
        assert anew.outcome == pb.RECORD_OUTCOME_STARTED


async def test_a_session_that_the_index_has_lost_expires(at_hand: AtHand) -> None:
    """So does one that is older than the setting by which sessions expire."""
    async with at_hand.process(session_ttl=0.0) as house:
        await house.sessions.AppendMessages(
            session_pb2.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[e.message("a")])
        )
        assert at_hand.do("ZCARD", at_hand.indexes.unused) == 0
    async with at_hand.process(session_ttl=AT_ONCE) as house:
        gone = at_hand.session().key("messages")
        assert at_hand.do("EXISTS", gone)
        await walk(house, at_hand, lambda: not at_hand.do("EXISTS", gone))


async def repairing(at_hand: AtHand, until: Callable[[], bool], *, settled_us: int) -> None:
    """Repairs without pauses until something is so, and for one round at least."""
    async with linked(at_hand.url) as link:
        indexes = RunIndexes(link.keys)
        history = SessionHistory(at_hand.settings, indexes.unused)
        repair = IndexRepair(link, indexes, history, Leases(link), settled_us=settled_us, pace=Pace(0, 0))
        await _rounds(repair.sweep, at_hand, until)


async def _rounds(sweep: Callable[[], Awaitable[bool]], at_hand: AtHand, until: Callable[[], bool]) -> None:
    stand = at_hand.keys.index("walk")
    rounds = 0
    async with asyncio.timeout(20):
        while rounds < 2 or not until():
            await sweep()
            rounds += b'"server": "", "cursor": "0", "indexes": []' in at_hand.do("HGET", stand, "stand")


async def test_what_stands_for_nothing_is_taken_out(at_hand: AtHand) -> None:
    """Runs that are no more, that stand under a state or an owner they have left, or under a label of another."""
    indexes = at_hand.indexes
    async with at_hand.process() as house:
        await one_of_each(house)
        planted = [
            (indexes.tenant(e.TENANT), "never", ""),
            (indexes.label(e.TENANT, "kind", "song"), "going", "t"),
            (indexes.state(e.TENANT, RunState.RUN_STATE_QUEUED), "ended", ""),
            (indexes.state(e.TENANT, RunState.RUN_STATE_FAILED), "said", "u"),
            (indexes.owned("dead"), "going", "t"),
            (indexes.owned(e.OWNER), "ended", ""),
        ]
        members = {(key, f"{e.TENANT}\0{run_id}\0{session}") for key, run_id, session in planted}
        before = {key: at_hand.do("ZCARD", key) for key, _ in members}
        for key, member in members:
            at_hand.do("ZADD", key, 1, member)
        await repairing(
            at_hand,
            lambda: not any(at_hand.do("ZSCORE", key, member) for key, member in members),
            settled_us=0,
        )
        assert {key: at_hand.do("ZCARD", key) for key, _ in members} == before
        assert await found(house) == ALL
        assert await found(house, states=[RunState.RUN_STATE_SUCCEEDED]) == ENDED


async def test_what_may_belong_to_a_commit_on_its_way_stays(at_hand: AtHand) -> None:
    """An entry is written before what it stands for, so that it is looked at again before it goes."""
    key, member = at_hand.indexes.tenant(e.TENANT), f"{e.TENANT}\0on its way\0"
    async with at_hand.process() as house:
        await one_of_each(house)
        at_hand.do("ZADD", key, 1, member)
        await repairing(at_hand, lambda: True, settled_us=60_000_000)
        assert at_hand.do("ZSCORE", key, member) == 1


async def test_processes_share_one_walk(at_hand: AtHand) -> None:
    """While one has the turn, the others do nothing; it goes on where another stopped."""
    async with linked(at_hand.url) as link:
        indexes = RunIndexes(link.keys)
        history = SessionHistory(at_hand.settings, indexes.unused)
        one, two = (IndexRepair(link, indexes, history, Leases(link)) for _ in range(2))
        walk = at_hand.keys.index("walk")
        await one.sweep()
        stand, due = at_hand.do("HMGET", walk, "stand", "due")
        await two.sweep()
        assert at_hand.do("HMGET", walk, "stand", "due") == [stand, due]
        at_hand.do("HSET", walk, "due", 1, "stand", stand)
        await two.sweep()
        assert int(at_hand.do("HGET", walk, "due")) >= int(due)


async def test_runs_of_an_owner_whose_lease_was_lost_come_free(at_hand: AtHand) -> None:
    """A lease lies in another slot than the runs that hang on it: without it nobody could tell that its holder died."""
    leases = at_hand.keys.tag("leases").key("leases")
    async with at_hand.process() as house:
        await one_of_each(house)
        at_hand.do("DEL", leases)
        await walk(house, at_hand, lambda: bool(at_hand.do("HEXISTS", leases, e.OWNER)))
        expire_us, ttl_us = map(int, at_hand.do("HGET", leases, e.OWNER).split())
        assert ttl_us == 300_000_000, "whoever lives has renewed any lease within that"
        # That time passes.
        at_hand.do("HSET", leases, e.OWNER, f"{expire_us - 2 * ttl_us} {ttl_us}")
        await e.lease(house, "second")
        claimed = (await e.claim(house, "second")).runs
        assert claimed[0].record.run.run_id == "going"
