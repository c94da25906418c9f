"""Claims through several state processes on one Redis: who is about to claim what, and attempts that lost their way."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from penstock.state.redis.claim_notes import ClaimNotes, Noted
from penstock.state.redis.claiming import Candidate, Claim
from penstock.state.redis.faults import is_unclear
from penstock.state.redis.run_indexes import Place
from penstock.state.settings import StateSettings
from penstock.wire.errors import Unavailable
from tests.state import entries as e
from tests.state.house import open_house
from tests.state.redis.at_hand import AtHand
from tests.state.redis.links import linked
from tests.stores.cluster import ValkeyCluster
from tests.stores.proxy import proxy_to
from tests.stores.server import ValkeyServer

_NOTHING = Noted("", [], 0)


@pytest.fixture
def space() -> str:
    """What keeps the test apart from others."""
    return f"?namespace=claims-{uuid4().hex}"


def candidates(*names: str) -> list[Candidate]:
    """Runs without sessions, which nobody drives."""
    return [Candidate(Place(e.TENANT, name, ""), "") for name in names]


async def test_of_many_in_several_processes_each_run_goes_to_one(valkey: ValkeyServer, space: str) -> None:
    """Three processes and twelve who claim few at a time: all runs are claimed, each once and under its first epoch."""
    runs = [f"run-{number}" for number in range(90)]
    epochs: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        houses = [
            await stack.enter_async_context(open_house(StateSettings(url=f"{valkey.url}{space}"))) for _ in range(3)
        ]

        async def claim(number: int) -> None:
            house, instance = houses[number % 3], f"instance-{number}"
            await e.lease(house, instance)
            while len(epochs) < len(runs):
                for run in (await e.claim(house, instance, wait=0.5, most=2)).runs:
                    epochs[run.record.run.run_id] += run.record.epoch

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(claim(number))
            for number, run_id in enumerate(runs):
                await e.record(houses[number % 3], e.record_entry(run_id, owner=""))
    assert epochs == Counter(runs)


async def test_what_another_is_about_to_claim_is_left_to_him(valkey: ValkeyServer, space: str) -> None:
    """The oldest that nobody is about to claim comes first; when he is heard of no more, his are there again."""
    url = f"{valkey.url}{space}"
    async with open_house(StateSettings(url=url)) as house, linked(url) as link:
        await e.lease(house)
        for name in ("run-1", "run-2", "run-3"):
            await e.record(house, e.record_entry(name, owner=""))
        await ClaimNotes(link).reserve(Claim("other", "claim", "first"), _NOTHING, candidates("run-1"), 10)
        got = [run.record.run.run_id for run in (await e.claim(house, most=1)).runs]
        got += [run.record.run.run_id for run in (await e.claim(house, most=10)).runs]
        assert got == ["run-2", "run-3"]
        async with asyncio.timeout(5):
            later = await e.claim(house, wait=30.0)
        assert [run.record.run.run_id for run in later.runs] == ["run-1"]


async def test_a_second_attempt_of_a_claim_notes_nothing_beside_the_first(valkey: ValkeyServer, space: str) -> None:
    """Whichever comes second gets what the first has noted, so that no run goes to an attempt nobody listens to."""
    async with linked(f"{valkey.url}{space}") as link:
        notes = ClaimNotes(link)
        first, second = (Claim("instance", "claim", attempt) for attempt in ("first", "second"))
        seen = await notes.look(second)
        assert seen == _NOTHING
        noted = await notes.reserve(first, seen, candidates("run-1", "run-2"), 1)
        assert noted.candidates == candidates("run-1")
        assert (await notes.reserve(second, seen, candidates("run-2"), 1)).candidates == candidates("run-1")
        # Once it has seen that there is nothing in what the first has noted, it may note others.
        seen = await notes.look(second)
        assert seen == Noted("first", candidates("run-1"), 1)
        assert (await notes.reserve(second, seen, candidates("run-2"), 1)).candidates == candidates("run-2")


async def test_a_lost_attempt_does_not_give_back_what_the_repeat_has(valkey: ValkeyServer, space: str) -> None:
    """The answer to a commit is lost, the repeat by another process gets the run, and then the first is cancelled."""
    async with (
        proxy_to(valkey.address) as proxy,
        open_house(StateSettings(url=f"{valkey.url_through(proxy.address)}{space}")) as first,
        open_house(StateSettings(url=f"{valkey.url}{space}")) as second,
        asyncio.timeout(10),
    ):
        await e.lease(first)
        # Scripts go by their digests from their second call on, so that only a commit has such words in it.
        await e.record(first, e.record_entry("run-1", owner=""))
        await e.claim(first)
        await e.record(first, e.record_entry("run-2", owner=""))
        loss = proxy.lose_answer(lambda piece: b"ZADD" in piece and b"claim-x" in piece)
        store = first.layer.store.ownership
        async with asyncio.TaskGroup() as group:
            lost = group.create_task(store.claim(e.OWNER, "claim-x", 10, 4.0))
            await loss.answered.wait()
            repeat = (await e.claim(second, claim_id="claim-x")).runs
            assert [run.record.run.run_id for run in repeat] == ["run-2"]
            lost.cancel()
            await loss.cut()
        # What is asked for next in the same room comes after the giving back.
        await e.append_as_owner(first, "run-2", e.started())
        assert (await e.run_record(second, "run-2")).owner_instance_id == e.OWNER


async def test_who_has_his_lease_again_keeps_what_he_claimed_since(valkey: ValkeyServer, space: str) -> None:
    """A claim that saw the lease lapsed, and comes late, does not take a run that was claimed again meanwhile."""
    url = f"{valkey.url}{space}"
    async with open_house(StateSettings(url=url)) as house, linked(url) as link:
        await e.lease(house, "late")
        await e.lease(house, "other")
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        await e.lease(house, ttl=0.0)
        await e.claim(house, "other")
        await e.lease(house, "other", ttl=0.0)
        await e.lease(house)
        assert (await e.claim(house)).runs[0].record.epoch == 3
        # What an attempt noted between the lease's end and its renewal, its repeat finds now.
        orphan = [Candidate(Place(e.TENANT, "run-1", ""), e.OWNER)]
        await ClaimNotes(link).reserve(Claim("late", "claim-x", "first"), _NOTHING, orphan, 10)
        assert not (await e.claim(house, "late", claim_id="claim-x")).runs
        assert (await e.run_record(house, "run-1")).owner_instance_id == e.OWNER
        # Once the lease is lost again the same claim may have it.
        await e.lease(house, ttl=0.0)
        assert (await e.claim(house, "late", claim_id="claim-x")).runs[0].record.epoch == 4


async def test_a_repeat_finds_an_orphan_whose_former_owner_has_a_lease_again(valkey: ValkeyServer, space: str) -> None:
    """The answer to its claim is lost, and the former owner comes back: the run is the claimer's, who has to know."""
    async with (
        proxy_to(valkey.address) as proxy,
        open_house(StateSettings(url=f"{valkey.url_through(proxy.address)}{space}")) as first,
        open_house(StateSettings(url=f"{valkey.url}{space}")) as second,
        asyncio.timeout(10),
    ):
        await e.lease(first)
        await e.lease(first, "late")
        await e.record(first, e.record_entry("run-1", owner=""))
        await e.claim(first, "late")
        await e.record(first, e.record_entry("run-2"))
        await e.lease(first, ttl=0.0)
        loss = proxy.lose_answer(lambda piece: b"claim-x" in piece and b"h/run-2" in piece)
        async with asyncio.TaskGroup() as group:
            lost = group.create_task(refused(first.layer.store.ownership.claim("late", "claim-x", 10, 0.0)))
            await loss.answered.wait()
            assert await e.lease(second), "it had lapsed"
            await loss.cut()
            assert await lost
        repeat = (await e.claim(second, "late", claim_id="claim-x")).runs
        assert [(run.record.run.run_id, run.record.epoch) for run in repeat] == [("run-2", 2)]


async def refused(work: Awaitable[object]) -> bool:
    """Tells whether work has failed for want of an answer."""
    try:
        await work
    except Unavailable:
        return True
    return False


async def test_leases_do_not_outlast_a_clock_that_was_set_back(valkey: ValkeyServer, space: str) -> None:
    """Nor does what others were about to claim: what was noted an hour ahead holds for its length from now on."""
    url = f"{valkey.url}{space}"
    async with open_house(StateSettings(url=url)) as house, linked(url) as link, asyncio.timeout(10):
        await e.lease(house, "second")
        await e.lease(house, ttl=0.2)
        await e.lease(house, "third", ttl=0.0)
        for run_id, owner in (("run-1", e.OWNER), ("run-2", ""), ("run-3", "third")):
            await e.record(house, e.record_entry(run_id, owner=owner))
        leases, serving = (link.keys.tag("leases").key(kind) for kind in ("leases", "serving"))
        reserved = link.keys.tag("claims").key("reserved")
        ahead_us = await link.read_clock() + 3_600_000_000
        for instance, ttl_us in (("second", 60_000_000), (e.OWNER, 200_000), ("third", 0)):
            valkey.command("HSET", leases, instance, f"{ahead_us + ttl_us} {ttl_us}")
        valkey.command("ZADD", serving, ahead_us, "a process")
        valkey.command("ZADD", reserved, ahead_us, Place(e.TENANT, "run-2", "").pack())
        claimed: set[str] = set()
        while len(claimed) < 3:
            claimed.update(run.record.run.run_id for run in (await e.claim(house, "second", wait=5.0)).runs)


async def test_a_claim_of_which_a_part_is_not_known_is_to_be_repeated_for_all(valkey_cluster: ValkeyCluster) -> None:
    """One run lies on a server that stops answering: told of the others only, nobody would ever drive it."""
    hand, silent = beside_all_indexes(valkey_cluster)
    names = [f"run-{number}" for number in range(100)]
    on_it = next(name for name in names if valkey_cluster.primary_of(hand.run(name).begin) is silent)
    elsewhere = next(name for name in names if valkey_cluster.primary_of(hand.run(name).begin) is not silent)
    async with open_house(hand.settings) as house:
        await e.lease(house, ttl=60.0)
        for run_id in (on_it, elsewhere):
            await e.record(house, e.record_entry(run_id, owner=""))
        silent.command("CLIENT", "PAUSE", 60_000, "WRITE")
        try:
            with pytest.raises(Unavailable) as raised:
                await house.layer.store.ownership.claim(e.OWNER, "claim-x", 10, 0.0)
        finally:
            silent.command("CLIENT", "UNPAUSE")
        assert is_unclear(raised.value)
        repeat = (await e.claim(house, claim_id="claim-x")).runs
        assert {run.record.run.run_id for run in repeat} == {on_it, elsewhere}


def beside_all_indexes(cluster: ValkeyCluster) -> tuple[AtHand, ValkeyServer]:
    """A store, and a server of it that has nothing of what a claim looks at first."""
    while True:
        hand = AtHand(cluster, f"claims-{uuid4().hex}")
        others = [hand.keys.tag(name).begin for name in ("leases", "claims")]
        others += [hand.indexes.claimable, hand.indexes.due, hand.indexes.owned(e.OWNER), hand.keys.plain("clock")]
        left = set(cluster.primaries()) - {cluster.primary_of(key) for key in others}
        if left:
            return hand, left.pop()
