"""What a subscriber's stream sends: no more than has room, small messages, and heartbeats."""

import asyncio
from dataclasses import replace
from itertools import count

from google.protobuf.duration_pb2 import Duration

from penstock.state.settings import StateSettings
from penstock.v1.event_pb2 import PublishRequest, SubscribeRequest
from tests.state.house import House, open_house
from tests.state.subscriber import PATIENCE, Subscriber, event, publish, subscriber

SECOND = Duration(seconds=1)


async def test_what_is_out_is_bounded(house: House) -> None:
    """A member has no more events than it said until it answers, and then gets as many as it answered."""
    await publish(house.events, *(f"e{n}" for n in range(6)))
    async with subscriber(house.events, group="g", from_position=0, max_unacknowledged=2) as reader:
        assert [got.position for got in await reader.some(2)] == [1, 2]
        await reader.acknowledge(2)
        assert (await reader.next()).position == 3
        await reader.acknowledge(1, 3)
        assert [got.position for got in await reader.some(2)] == [4, 5]


async def test_a_group_of_one_s_own_ends_with_its_stream_and_leaves_nothing(house: House) -> None:
    """Its name is made up; when the stream has ended nobody waits for its answers."""
    async with subscriber(house.events) as reader:
        await publish(house.events, "x")
        await reader.next()
        own = reader.first.group
        assert own.startswith("~")
    left = Subscriber(house.events, SubscribeRequest(tenant="a", topic="t"), None)
    left.first.group = own
    async with asyncio.timeout(PATIENCE):
        while await left.acknowledge(1) != [1]:
            pass
    async with subscriber(house.events) as another:
        assert another.first.group != own


async def test_a_message_of_a_stream_stays_under_its_size(house: House) -> None:
    """Big events come in several messages, and one that is bigger than a message should be comes alone."""
    payload = '"' + "x" * 700_000 + '"'
    for name in ("x", "y", "z"):
        request = PublishRequest(tenant="a", topic="t", events=[event(name, payload_json=payload)])
        await house.events.Publish(request)
    async with subscriber(house.events, from_position=0) as reader:
        for name in ("x", "y", "z"):
            assert [got.event.event_id for got in (await reader.message()).events] == [name]


async def test_a_silent_topic_sends_heartbeats(settings: StateSettings) -> None:
    """An empty message says that the stream is alive."""
    async with open_house(replace(settings, heartbeat=0.02)) as house, subscriber(house.events) as reader:
        for _ in range(3):
            assert (await reader.message()).ByteSize() == 0


async def test_a_member_that_gets_nothing_hears_heartbeats_while_others_work(settings: StateSettings) -> None:
    """What is published for others, and what of theirs may be due sooner, does not pass for news of its own."""
    async with (
        open_house(replace(settings, heartbeat=0.2)) as house,
        subscriber(house.events, group="g", max_unacknowledged=1) as full,
        asyncio.TaskGroup() as group,
    ):
        await publish(house.events, "taken")
        await full.next()

        async def work() -> None:
            async with subscriber(house.events, group="g", visibility_timeout=SECOND) as busy:
                for number in count():
                    await publish(house.events, f"e{number}")
                    await busy.acknowledge(*(got.position for got in await busy.at_least(1)))
                    await asyncio.sleep(0.05)  # the pace of the work

        working = group.create_task(work())
        for _ in range(3):
            assert (await full.message()).ByteSize() == 0
        working.cancel()
