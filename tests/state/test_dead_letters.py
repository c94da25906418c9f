"""Dead letters: what a group was given five times leaves it, with the reason."""

import asyncio
from dataclasses import replace

from penstock.state.topic_store import Demand, Member
from penstock.v1.event_pb2 import AcknowledgeRequest, DeliveredEvent, FailedDelivery
from tests.state.admin import administered
from tests.state.house import House
from tests.state.subscriber import publish, subscriber


async def test_after_five_deliveries_an_event_is_a_dead_letter_with_its_reason(house: House) -> None:
    """The event leaves its group for the topic that the rule names, as it was, with the last failure's words."""
    await publish(house.events, "poison", "fine")
    async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=1) as reader:
        for delivery in range(1, 6):
            got = await reader.next()
            assert (got.event.event_id, got.delivery) == ("poison", delivery)
            await reader.fail(1, f"no {delivery}")
        assert (await reader.next()).event.event_id == "fine"
        assert await reader.acknowledge(1) == [1]
    async with subscriber(house.events, topic="t.g.dead", from_position=0) as undertaker:
        dead = await undertaker.next()
    assert (dead.position, dead.event.event_id, dead.event.payload_json) == (1, "poison", "{}")
    assert dead.dead_letter_reason == "delivered 5 times to group g of topic t (position 1); the last time: no 5"


async def test_what_waits_behind_a_dead_letter_comes_after_it(house: House) -> None:
    """An event that is buried takes no room, also of a member that has room for one only."""
    await publish(house.events, "poison", "fine")
    for delivery in range(1, 6):
        # A stream that goes gives back both at once, so that the next can't get the one without the other.
        async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=2) as reader:
            assert [(got.position, got.delivery) for got in await reader.some(2)] == [(1, delivery), (2, 1)]
    async with subscriber(house.events, group="g", max_unacknowledged=1) as reader:
        got = await reader.next()
        assert (got.position, got.delivery) == (2, 1)


async def test_each_group_has_dead_letters_of_its_own(house: House) -> None:
    """The same event may be one group's dead letter twice under one name, and another group's not at all."""
    for name in ("g", "h"):
        await publish(house.events, "poison")
        async with subscriber(house.events, group=name, from_position=0, max_unacknowledged=1) as reader:
            for _ in range(5):
                await reader.fail((await reader.next()).position, "no")
            await publish(house.events, f"after-{name}")
            await reader.next()
    for name in ("g", "h"):
        async with subscriber(house.events, topic=f"t.{name}.dead", from_position=0) as undertaker:
            assert f"group {name} " in (await undertaker.next()).dead_letter_reason


async def test_silence_and_lost_streams_are_told_as_reasons(house: House) -> None:
    """A dead letter says what became of its last delivery: its time passed, or its stream ended."""
    topics = house.layer.store.topics
    await publish(house.events, "x", "y")
    member = Member("a", "t", "g", "stream-1")
    await topics.join(member, 0)
    short = Demand(max_unacknowledged=1, max_bytes=1, visibility_us=1)
    for delivery in range(1, 6):
        assert [(got.position, got.delivery) for got in (await topics.take(member, short)).events] == [(1, delivery)]
    long = replace(short, visibility_us=3_600_000_000)
    for delivery in range(1, 6):
        assert [(got.position, got.delivery) for got in (await topics.take(member, long)).events] == [(2, delivery)]
        await topics.leave(member)
        member = replace(member, stream=f"next-{delivery}")
        await topics.join(member, None)
    assert (await topics.take(member, long)).events == []
    async with subscriber(house.events, topic="t.g.dead", from_position=0) as undertaker:
        reasons = [got.dead_letter_reason.rpartition(": ")[2] for got in await undertaker.some(2)]
    assert reasons == ["it was not acknowledged in time", "its subscriber's stream ended"]


async def test_poison_in_a_group_of_one_s_own_is_dropped(house: House) -> None:
    """There is nobody to look after its dead letters; the next event is not held up."""
    async with subscriber(house.events, max_unacknowledged=1) as reader:
        await publish(house.events, "poison", "fine")
        for _ in range(5):
            await reader.fail((await reader.next()).position, "no")
        assert (await reader.next()).event.event_id == "fine"


async def test_dead_letters_with_long_reasons_come_in_several_messages(house: House) -> None:
    """So that whoever reads many at once gets them all; and an export with them fits into its messages too."""
    many = 500
    await publish(house.events, *(f"e{number}" for number in range(many)))
    reason = "\N{COLLISION SYMBOL}" * 1024
    async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=many) as reader:
        for _ in range(5):
            await reader.some(many)
            failed = [FailedDelivery(position=position, reason=reason) for position in range(1, many + 1)]
            await house.events.Acknowledge(AcknowledgeRequest(tenant="a", topic="t", group="g", failed=failed))
        async with (
            subscriber(house.events, topic="t.g.dead", from_position=0, max_unacknowledged=many) as dead,
            asyncio.timeout(10),
        ):
            found: list[DeliveredEvent] = []
            while len(found) < many:
                message = await dead.message()
                assert message.ByteSize() < 1.2 * 1024 * 1024
                found += message.events
    async with administered(house.layer) as admin:
        records = await admin.export()
        assert max(record.ByteSize() for record in records) < 1.2 * 1024 * 1024


async def test_a_shared_group_at_a_reply_address_has_dead_letters(house: House) -> None:
    """Poison leaves it as it leaves any other group, and ends nobody's stream."""
    async with subscriber(house.events, topic="reply.1", group="g", max_unacknowledged=1) as reader:
        await publish(house.events, "poison", "fine", topic="reply.1")
        for _ in range(5):
            await reader.fail((await reader.next()).position, "no")
        assert (await reader.next()).event.event_id == "fine"
        async with subscriber(house.events, topic="reply.1.g.dead", from_position=0) as undertaker:
            assert (await undertaker.next()).event.event_id == "poison"
