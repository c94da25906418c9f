"""Commits of which not all that goes with them could be done."""

import pytest

from penstock.state.redis.faults import is_unclear
from penstock.v1 import run_log_pb2 as pb
from penstock.wire.errors import Unavailable
from tests.state import entries as e
from tests.state.house import open_house
from tests.state.redis.at_hand import AtHand
from tests.stores.cluster import ValkeyCluster


async def test_a_commit_whose_index_is_refused_is_not_said_to_be_undone(valkey_cluster: ValkeyCluster) -> None:
    """One server is full, and the run lies on another: whether it was recorded is told as what it is, not known."""
    hand = AtHand(valkey_cluster, "full-index")
    full = valkey_cluster.primary_of(hand.indexes.claimable)
    names = (f"run-{number}" for number in range(1000))
    run_id = next(name for name in names if valkey_cluster.primary_of(hand.run(name).begin) is not full)
    async with open_house(hand.settings) as house:
        full.command("CONFIG", "SET", "maxmemory", 1)
        try:
            with pytest.raises(Unavailable) as raised:
                await house.layer.store.runs.record(e.record_entry(run_id, owner=""))
            assert is_unclear(raised.value)
        finally:
            full.command("CONFIG", "SET", "maxmemory", 0)
        again = await e.record(house, e.record_entry(run_id, owner=""))
        assert again.outcome == pb.RecordOutcome.RECORD_OUTCOME_EXISTING
