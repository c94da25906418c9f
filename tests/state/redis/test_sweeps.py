"""Sweeps and checks on Redis that go wrong or meet hold up no others."""

import asyncio

import pytest

from penstock.state.open_store import open_store
from penstock.state.redis.faults import RedisRefused
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.settings import StateSettings
from penstock.state.topic_store import Member
from penstock.wire.errors import Unavailable
from tests.state.entries import OWNER, TENANT, record_entry
from tests.state.redis.aged import DEMAND, Aged, aged

__all__ = ["aged"]


async def test_a_sweep_that_fails_holds_up_no_other(aged: Aged) -> None:
    """What is wrong with values is told, and topics are swept all the same."""
    async with aged.process() as store:
        own = Member(TENANT, "t", "~s", "s")
        await store.topics.join(own, None)
        aged.server.command("HSET", aged.topic().group("~s")[0], "seen", 1)
        aged.make_due("topics")
        aged.server.command("SET", aged.keys.index("tenants", "values"), "not a list of tenants")
        with pytest.raises(RedisRefused, match="WRONGTYPE"):
            await store.sweep()
        with pytest.raises(Unavailable) as raised:
            await store.topics.take(own, DEMAND)
        assert raised.value.reason == "GROUP_LOST"


async def test_news_of_runs_that_can_t_be_published_hold_up_no_other_tenant_s(aged: Aged) -> None:
    """What is wrong with one tenant's topic is told; the others' subscribers do not wait for its mending."""
    async with open_store(StateSettings(url=aged.url)) as store:
        await store.ownership.renew(OWNER, 60_000_000)
        broken = TopicKeys(aged.keys, TENANT, "penstock.runs")
        aged.server.command("SET", broken.topic, "not a topic")
        for tenant in (TENANT, "other"):
            await store.runs.record(record_entry(f"run-of-{tenant}", tenant=tenant))
        with pytest.raises(RedisRefused, match="WRONGTYPE"):
            await store.sweep()
        member = Member("other", "penstock.runs", "g", "s")
        await store.topics.join(member, 0)
        taken = await store.topics.take(member, DEMAND)
        assert [event.event.event_id for event in taken.events] == ["run-of-other:RUNNING"]


async def test_processes_that_check_at_once_do_not_alarm_each_other(aged: Aged) -> None:
    """Each looks for its own write."""
    async with aged.process() as one, aged.process() as two:
        for _ in range(300):
            await asyncio.gather(one.check(), two.check())
