"""Topics that several state processes serve on Redis, some of which are killed."""

import asyncio

import pytest

from penstock.state.topic_store import GRACE_US, Member
from penstock.v1.event_pb2 import AcknowledgeRequest, TopicEvent
from penstock.wire.errors import NotFound, Unavailable
from tests.state.entries import TENANT
from tests.state.redis.aged import DEMAND, Aged, aged, sweep

__all__ = ["aged"]


async def test_what_a_killed_process_s_streams_had_comes_to_others(aged: Aged) -> None:
    """After half a minute of silence; nothing of it counts as delivered."""
    async with aged.process() as one, aged.process() as two:
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id=name, type="x") for name in ("a", "b")])
        dead, living = Member(TENANT, "t", "g", "dead"), Member(TENANT, "t", "g", "living")
        await one.topics.join(dead, 0)
        assert len((await one.topics.take(dead, DEMAND)).events) == 2
        await two.topics.join(living, None)
        assert (await two.topics.take(living, DEMAND)).events == []
        group, _ = aged.topic().group("g")
        record = aged.server.command("HGET", group, "s:dead").split()
        aged.server.command("HSET", group, "s:dead", b" ".join([*record[:4], b"1"]), "seen", 1)
        taken = await two.topics.take(living, DEMAND)
        assert [(event.position, event.delivery) for event in taken.events] == [(1, 1), (2, 1)]
        # The one that was only silent goes on, and its late answer counts.
        assert list(await one.topics.acknowledge(_answer(1))) == []
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id="c", type="x")])
        assert [event.position for event in (await one.topics.take(dead, DEMAND)).events] == [3]


async def test_news_of_topics_reach_the_streams_of_other_processes(aged: Aged) -> None:
    """A publish, an answer that makes room, and what is given back: each wakes who may have it, and soon."""
    async with aged.process() as one, aged.process() as two:
        woken = asyncio.Event()

        async def wakes() -> None:
            async with asyncio.timeout(10):
                await woken.wait()
            woken.clear()

        mine, other = Member(TENANT, "t", "g", "mine"), Member(TENANT, "t", "g", "other")
        two.topics.watch(mine, woken.set)
        await two.topics.join(mine, None)
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id="a", type="x")])
        await wakes()
        assert len((await two.topics.take(mine, DEMAND)).events) == 1
        assert list(await one.topics.acknowledge(_answer(1))) == []
        await wakes()
        await one.topics.join(other, None)
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id="b", type="x")])
        await wakes()
        assert len((await one.topics.take(other, DEMAND)).events) == 1
        await one.topics.leave(other)
        await wakes()
        assert [event.delivery for event in (await two.topics.take(mine, DEMAND)).events] == [2]


async def test_a_killed_process_s_own_groups_and_reply_addresses_go(aged: Aged) -> None:
    """After a minute without a sign of life; who asks in their name is told that they are gone."""
    async with aged.process() as store:
        own = Member(TENANT, "reply.x", "~s", "s")
        await store.topics.join(own, None)
        await store.topics.publish(TENANT, "reply.x", [TopicEvent(event_id="a", type="x")])
        aged.make_due("topics")
        await sweep(store)
        assert len((await store.topics.take(own, DEMAND)).events) == 1
        keys = aged.topic("reply.x")
        group, _ = keys.group("~s")
        old = aged.server.command("TIME")[0] * 1_000_000 - GRACE_US - 1_000_000
        aged.server.command("HSET", group, "seen", old)
        aged.make_due("topics")
        await sweep(store)
        with pytest.raises(Unavailable) as raised:
            await store.topics.take(own, DEMAND)
        assert raised.value.reason == "GROUP_LOST"
        aged.server.command("HSET", keys.topic, "used", old)
        aged.make_due("topics")
        await sweep(store)
        with pytest.raises(NotFound):
            await store.topics.publish(TENANT, "reply.x", [TopicEvent(event_id="b", type="x")])
        assert aged.names("topics") == []
        assert keys.topic not in aged.server.all_keys(f"penstock:{aged.namespace}:*")


def _answer(position: int) -> AcknowledgeRequest:
    return AcknowledgeRequest(tenant=TENANT, topic="t", group="g", positions=[position])
