"""News of runs that wait to be published."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from penstock.state.redis.room_keys import RunKeys
from penstock.v1.run_pb2 import DURABILITY_REPLICA
from tests.state import entries as e
from tests.state.redis.at_hand import AtHand
from tests.stores.cluster import ValkeyCluster


async def test_ends_that_may_yet_be_lost_let_later_news_pass(valkey_cluster: ValkeyCluster) -> None:
    """However many of them wait for their replicas, they don't fill each look for ever."""
    at_hand = AtHand(valkey_cluster, f"hand-{uuid4().hex}")
    async with at_hand.process(lifecycle_topic="penstock.runs") as house:
        outbox = house.layer.store.lifecycle  # type: ignore[attr-defined] # the contract of stores keeps it to itself
        await e.lease(house)
        entry = e.record_entry("run-1")
        entry.spec.durability = DURABILITY_REPLICA
        await e.record(house, entry)
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
        # As if the replicas had nothing of the end yet.
        at_hand.do("HSET", RunKeys.of(at_hand.run("run-1"), "run-1").fixed, "d", 2)
        (started,) = await outbox.pending(10)
        await outbox.clear([started])
        await e.record(house, e.record_entry("run-2"))
        async with asyncio.timeout(10):
            while not (news := await outbox.pending(1)):
                pass
        assert [one.run.run_id for one in news] == ["run-2"]
