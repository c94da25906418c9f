"""Rooms whose slot is on its way to another server, key by key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

import grpc
import grpc.aio
import pytest

from penstock.state.redis.room_keys import SessionKeys
from penstock.state.redis.topics_keys import TopicKeys
from penstock.v1.run_log_pb2 import AppendOutcome
from penstock.v1.run_pb2 import RunState
from penstock.v1.session_pb2 import UpdateSessionRequest
from penstock.wire.errors import Unavailable
from tests.state import entries as e
from tests.state.admin import administered
from tests.state.house import House, error_of
from tests.state.redis.at_hand import AtHand
from tests.state.subscriber import publish, subscriber
from tests.stores.cluster import ValkeyCluster
from tests.stores.server import ValkeyServer


@dataclass(slots=True)
class Move:
    """Represents a slot on its way."""

    source: ValkeyServer
    target: ValkeyServer
    slot: int

    def move(self, *keys: bytes) -> None:
        """Moves keys."""
        for key in keys:
            self.source.command("MIGRATE", "127.0.0.1", self.target.port, key, 0, 5000)

    def end(self) -> None:
        """Moves all that is left, and has the slot be the target's."""
        self.move(*self.source.command("CLUSTER", "GETKEYSINSLOT", self.slot, 1000))
        name = self.target.command("CLUSTER", "MYID")
        for server in (self.target, self.source):
            server.command("CLUSTER", "SETSLOT", self.slot, "NODE", name)


@contextmanager
def moving(made: ValkeyCluster, key: bytes) -> Iterator[Move]:
    """Has a key's slot be on its way for the block, and then arrive."""
    source = made.primary_of(key)
    target = next(server for server in made.primaries() if server is not source)
    move = Move(source, target, source.command("CLUSTER", "KEYSLOT", key))
    target.command("CLUSTER", "SETSLOT", move.slot, "IMPORTING", source.command("CLUSTER", "MYID"))
    source.command("CLUSTER", "SETSLOT", move.slot, "MIGRATING", target.command("CLUSTER", "MYID"))
    try:
        yield move
    finally:
        move.end()


@pytest.fixture
def hand(valkey_cluster: ValkeyCluster) -> AtHand:
    """An empty store on a Cluster."""
    return AtHand(valkey_cluster, f"moving-{uuid4().hex}")


async def unavailable(work: Awaitable[object]) -> None:
    """Sees that something can't be done now."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await work
    assert isinstance(error_of(raised.value), Unavailable)


async def test_what_needs_a_key_that_is_elsewhere_is_done_whole_or_not_at_all(
    hand: AtHand, valkey_cluster: ValkeyCluster
) -> None:
    """While a run's keys lie on two servers an entry for both waits; once they are together again it goes in, once."""
    log = hand.run("run-1").key("run", "run-1") + b":log"
    async with hand.process() as house, asyncio.timeout(30):
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        await e.append_events(house, "run-1", e.token("one"))
        with moving(valkey_cluster, log):
            assert (await e.append_events(house, "run-1", e.token("more"))).last_sequence == 4
            entry = e.append_entry("run-1", e.token("two"), number=1, writer="writer-2")
            entry.checkpoint = b"so far"
            # The log is there, and takes the entry; where the checkpoints would be is not known.
            await unavailable(e.append(house, entry))
            assert hand.do("XLEN", log) == 3
        (result,) = await e.append(house, entry)
        assert (result.outcome, result.last_sequence) == (AppendOutcome.APPEND_OUTCOME_APPENDED, 5)
        await ends(house, "run-1", 6)


async def test_a_run_goes_on_when_its_slot_has_arrived(hand: AtHand, valkey_cluster: ValkeyCluster) -> None:
    """Signals, claims and ends that meet a slot on its way are refused as something that passes."""
    async with hand.process() as house, asyncio.timeout(30):
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        with moving(valkey_cluster, hand.run("run-1").begin):
            await unavailable(e.cancel(house, "run-1"))
            await unavailable(e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED)))
        assert (await e.cancel(house, "run-1")).signal_number == 1
        await ends(house, "run-1", 3)


async def test_an_export_leaves_nothing_out_whose_slot_is_on_its_way(
    hand: AtHand, valkey_cluster: ValkeyCluster
) -> None:
    """It breaks off and is resumed later: a session or topic that is passed over like a damaged one would be lost."""
    session, topic = hand.session(), TopicKeys(hand.keys, e.TENANT, "news")
    async with hand.process() as house, administered(house.layer) as admin, asyncio.timeout(30):
        request = UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json="1")
        await house.sessions.UpdateSession(request)
        await publish(house.events, "a", tenant=e.TENANT, topic="news")
        async with subscriber(house.events, tenant=e.TENANT, topic="news", group="g", from_position=0) as reader:
            await reader.some(1)
        for key in (SessionKeys.of(session).data, topic.group("g")[0]):
            with moving(valkey_cluster, key) as move:
                move.move(key)
                await unavailable(admin.export())
        kinds: set[str | None] = set()
        while not kinds:
            with suppress(grpc.aio.AioRpcError):  # until all is known of where the slots are
                kinds = {record.WhichOneof("record") for record in await admin.export()}
        assert kinds == {"header", "session", "topic", "topic_events", "end"}


async def ends(house: House, run_id: str, last: int) -> None:
    """Ends a run, and sees that its log has no gap."""
    end = e.append_entry(run_id, e.run_finished(RunState.RUN_STATE_FAILED), step="", writer="last", number=1)
    (result,) = await e.append(house, end)
    assert result.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED
    assert [event.sequence for event in await e.read_log(house, run_id)] == list(range(1, last + 1))
