"""Topics: published once, kept for a time, and read by each group from where it is."""

import asyncio
from dataclasses import replace

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.state.settings import StateSettings
from penstock.state.topic_store import Member
from penstock.v1.event_pb2 import PublishRequest
from penstock.wire.errors import NotFound
from tests.state.house import House, error_of, open_house
from tests.state.subscriber import PATIENCE, event, publish, subscriber


async def test_events_have_positions_from_one_without_a_gap(house: House) -> None:
    """Concurrent publishers share the positions from 1 on, each event of a call after the one before."""
    batches = await asyncio.gather(*(publish(house.events, f"{n}-x", f"{n}-y", f"{n}-z") for n in range(20)))
    assert sorted(position for batch in batches for position in batch) == list(range(1, 61))
    assert all(batch == list(range(batch[0], batch[0] + 3)) for batch in batches)


async def test_an_event_is_published_once_by_its_id(house: House) -> None:
    """A repeated publish, in whole, in part or within one call, gives the first positions and adds nothing."""
    assert await publish(house.events, "x", "y") == [1, 2]
    assert await publish(house.events, "x", "y") == [1, 2]
    assert await publish(house.events, "y", "z", "z", "x") == [2, 3, 3, 1]
    async with subscriber(house.events, from_position=0) as reader:
        assert [got.event.event_id for got in await reader.some(3)] == ["x", "y", "z"]
        assert reader.first.next_position == 1


async def test_an_event_arrives_as_it_was_published_with_the_store_s_time(house: House) -> None:
    """Payload, correlation, reply address, deadline and metadata are untouched; the time is the store's."""
    sent = event(
        "x",
        payload_json='{"big": 123456789012345678901234567890, "text": "Ü"}',
        correlation_id="c-1",
        reply_topic="reply.1",
        deadline_time=Timestamp(seconds=5),
        metadata={"k": "v"},
    )
    await house.events.Publish(PublishRequest(tenant="a", topic="t", events=[sent]))
    async with subscriber(house.events, from_position=0) as reader:
        got = await reader.next()
    assert got.event.time.seconds > 1_600_000_000
    got.event.ClearField("time")
    assert got.event == sent
    assert (got.position, got.delivery, got.dead_letter_reason) == (1, 1, "")


async def test_a_subscriber_without_a_start_gets_what_is_published_from_then_on(house: House) -> None:
    """The first message says that the group stands: what is published after it arrives, what was before does not."""
    await publish(house.events, "before")
    async with subscriber(house.events) as reader:
        assert reader.first.next_position == 2
        await publish(house.events, "after")
        assert (await reader.next()).event.event_id == "after"


async def test_a_late_subscriber_gets_all_that_is_kept(house: House) -> None:
    """Position 0 is the oldest event kept; another position begins there."""
    await publish(house.events, *(f"e{n}" for n in range(1, 201)))
    async with subscriber(house.events, from_position=0, max_unacknowledged=1000) as reader:
        assert [got.position for got in await reader.some(200)] == list(range(1, 201))
    async with subscriber(house.events, from_position=150, max_unacknowledged=1000) as reader:
        assert [got.position for got in await reader.some(51)] == list(range(150, 201))


async def test_members_of_a_group_share_its_events_and_groups_do_not(house: House) -> None:
    """Each event goes to one member of each group."""
    async with (
        subscriber(house.events, group="g", max_unacknowledged=2) as one,
        subscriber(house.events, group="g", max_unacknowledged=2) as two,
        subscriber(house.events, group="h") as other,
    ):
        await publish(house.events, "w", "x", "y", "z")
        shares = await asyncio.gather(one.some(2), two.some(2), other.some(4))
        assert sorted(got.position for share in shares[:2] for got in share) == [1, 2, 3, 4]
        assert [got.position for got in shares[2]] == [1, 2, 3, 4]


async def test_a_group_goes_on_where_it_was(house: House) -> None:
    """What was acknowledged stays so without a stream, and a position is only a new group's affair."""
    await publish(house.events, "x", "y", "z")
    async with subscriber(house.events, group="g", from_position=0) as reader:
        await reader.some(3)
        assert await reader.acknowledge(1, 3) == []
    async with subscriber(house.events, group="g", from_position=1) as reader:
        again = await reader.next()
        assert (again.position, again.delivery) == (2, 2)
        await publish(house.events, "new")
        assert (await reader.next()).position == 4


async def test_a_reply_address_is_made_by_its_subscriber_only(house: House) -> None:
    """Publishing to an address that nobody has made gets NOT_FOUND; subscribed to, it is a topic like any other."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await publish(house.events, "x", topic="reply.1")
    refused = error_of(raised.value)
    assert isinstance(refused, NotFound)
    assert refused.reason == "REPLY_ADDRESS_GONE"
    async with subscriber(house.events, topic="reply.1") as reader:
        await publish(house.events, "x", topic="reply.1")
        assert (await reader.next()).event.event_id == "x"


async def test_no_tenant_sees_another_s_topics(house: House) -> None:
    """Same topic, group and ids: positions, deliveries and answers are apart."""
    await publish(house.events, "x", tenant="a")
    await publish(house.events, "y", "x", tenant="b")
    async with (
        subscriber(house.events, tenant="a", group="g", from_position=0) as ours,
        subscriber(house.events, tenant="b", group="g", from_position=0) as theirs,
    ):
        assert (await ours.next()).event.event_id == "x"
        assert [got.event.event_id for got in await theirs.some(2)] == ["y", "x"]
        assert await ours.acknowledge(1, 2) == [2]
        assert await theirs.acknowledge(1, 2) == []


async def test_a_topic_keeps_so_many_events_and_tells_whom_it_failed(settings: StateSettings) -> None:
    """The oldest go first; a group that had not got them goes on at the oldest kept and hears how many it missed."""
    async with open_house(replace(settings, max_topic_events=10)) as house:
        # A group without a member from here on: a stream that is given up leaves its group some time later.
        gone = Member("a", "t", "g", "stream-1")
        await house.layer.store.topics.join(gone, 0)
        await house.layer.store.topics.leave(gone)
        async with subscriber(house.events, group="h", from_position=0, max_unacknowledged=2) as slow:
            await publish(house.events, "e1", "e2", "e3")
            assert [got.position for got in await slow.some(2)] == [1, 2]
            await publish(house.events, *(f"e{n}" for n in range(4, 26)))
            await slow.acknowledge(1, 2)
            assert [got.position for got in await slow.some(2)] == [16, 17]
            assert slow.skipped == 13
        async with subscriber(house.events, group="g") as reader:
            assert reader.first.next_position == 16
            assert [got.position for got in await reader.some(10)] == list(range(16, 26))
            assert reader.skipped == 15


async def test_a_topic_keeps_events_for_a_time(settings: StateSettings) -> None:
    """Events past their time are swept, their ids with them, and positions go on."""
    async with open_house(replace(settings, topic_retention=0.05, sweep_seconds=0.01)) as house:
        await publish(house.events, "x", "y")
        async with asyncio.timeout(PATIENCE):
            while (await publish(house.events, "x"))[0] == 1:
                pass
        assert (await publish(house.events, "last"))[0] >= 4
