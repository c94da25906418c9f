"""What time takes of topics on Redis though nobody uses them."""

import asyncio
import time

from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.topics_sweep import TopicSweep
from penstock.state.topic_store import Member
from penstock.v1.event_pb2 import TopicEvent
from tests.state.entries import TENANT
from tests.state.redis.aged import DEMAND, Aged, aged, sweep
from tests.state.redis.links import linked

__all__ = ["aged"]


async def test_a_topic_is_looked_at_each_minute_though_the_clock_here_is_ahead(aged: Aged) -> None:
    """As it stays when the server's clock was a day ahead for a moment."""
    async with linked(aged.url) as link:
        index = NameIndex(link, "topics")
        await index.list(TENANT, b"t")
        aged.server.command("HSET", aged.topic().topic, "first", 1, "next", 1, "used", link.clock.now_us())
        aged.make_due("topics")
        now_ns = time.monotonic_ns()
        link.clock.sample(link.clock.now_us() + 86_400_000_000, now_ns, now_ns)
        await TopicSweep(link, index, 3600).sweep()
        due = aged.server.command("ZSCORE", aged.keys.tag("i", "topics", TENANT).key("due"), "t")
        assert 0 < due / 1e6 - aged.server.command("TIME")[0] <= 61


async def test_old_events_go_without_anybody_publishing(aged: Aged) -> None:
    """The sweep trims them; positions go on, and the group hears how many it missed."""
    async with aged.process() as store:
        member = Member(TENANT, "t", "g", "s")
        await store.topics.join(member, None)
        await store.topics.publish(TENANT, "t", [TopicEvent(event_id=f"e{n}", type="x") for n in range(1, 26)])
        aged.age_events(20)
        aged.make_due("topics")
        await sweep(store)
        taken = await store.topics.take(member, DEMAND)
        assert taken.skipped == 20
        assert [event.position for event in taken.events] == [21, 22, 23, 24, 25]
        assert list(await store.topics.publish(TENANT, "t", [TopicEvent(event_id="e1", type="x")])) == [26]


async def test_old_events_that_are_big_go_in_pieces(aged: Aged) -> None:
    """Nobody waits for a step that looks through a hundred megabytes."""
    async with aged.process() as store:
        payload = '"' + "x" * 900_000 + '"'
        for number in range(30):
            event = TopicEvent(event_id=f"e{number}", type="x", payload_json=payload)
            await store.topics.publish(TENANT, "t", [event])
        aged.age_events(29)
        kept = []
        async with asyncio.timeout(10):
            while not kept or kept[-1] > 1:
                aged.make_due("topics")
                await store.sweep()
                kept.append(aged.server.command("XLEN", aged.topic().events))
        assert 15 <= kept[0] < 30
        assert kept[-1] == 1
