"""Gateways and state layers that die under subscribers: nothing is missed, and nothing that is held comes twice."""

import asyncio

import pytest

from penstock.client import Client, Event, Reconnecting, Subscription, errors
from penstock.wire.ids import random_id
from tests.client.two_doors import TwoDoors

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("lost-subscriptions")]


async def payloads(subscription: Subscription, until: int) -> list[int]:
    """Reads to the event with this payload, which includes it."""
    found: list[int] = []
    while until not in found:
        found.append((await anext(subscription)).payload)
    return found


@pytest.mark.parametrize("group", ["", "g"])
async def test_a_subscription_outlives_its_gateways(doors: TwoDoors, group: str) -> None:
    """Killed one after the other: what was published meanwhile arrives, and the program was told of the pauses."""
    topic = random_id("topic")
    told: list[Reconnecting] = []
    async with (
        asyncio.timeout(60),
        Client(doors.address) as client,
        Client(doors.address) as publisher,
        client.subscribe(topic, group=group, on_reconnect=told.append) as events,
    ):
        for n in range(5):
            await publisher.publish(topic, n)
        assert await payloads(events, 4) == list(range(5))
        await doors.first.kill()
        for n in range(5, 10):
            await publisher.publish(topic, n, event_id=f"e{n}")
        assert await payloads(events, 9) == list(range(5, 10))
        await doors.first.start()
        await doors.second.kill()
        for n in range(10, 15):
            await publisher.publish(topic, n, event_id=f"e{n}")
        assert await payloads(events, 14) == list(range(10, 15))
    assert told
    assert all(isinstance(one.error, errors.Unavailable) for one in told)


async def test_what_the_program_holds_is_not_handed_out_again(doors: TwoDoors) -> None:
    """Its answer, given after the connection was made good, counts; what only waited comes again."""
    topic = random_id("topic")
    async with asyncio.timeout(60), Client(doors.address) as client:
        for n in range(4):
            await client.publish(topic, n)
        async with client.subscribe(topic, group="g", from_beginning=True, auto_acknowledge=False) as events:
            held = [await anext(events), await anext(events)]
            await doors.first.kill()
            later = [await anext(events), await anext(events)]
            assert [event.payload for event in (*held, *later)] == [0, 1, 2, 3]
            for event in (*held, *later):
                await event.acknowledge()
            await client.publish(topic, 4)
            assert (await anext(events)).payload == 4
        async with client.subscribe(topic, group="g") as events:
            assert (await anext(events)).payload == 4


async def test_a_subscription_outlives_the_state_layer(doors: TwoDoors) -> None:
    """Killed with SIGKILL and started again: groups go on where they were, and an own group where it began."""
    topic = random_id("topic")
    async with (
        asyncio.timeout(60),
        Client(doors.address) as client,
        client.subscribe(topic) as own,
        client.subscribe(topic, group="g") as shared,
    ):
        await client.publish(topic, 0)
        assert [(await anext(one)).payload for one in (own, shared)] == [0, 0]
        await doors.inner.kill()
        await doors.inner.start()
        await client.publish(topic, 1)
        assert [await payloads(one, 1) for one in (own, shared)] == [[1], [1]]


async def test_a_request_outlives_its_gateway(doors: TwoDoors) -> None:
    """Asked through one door and answered through another, after the first was killed."""
    topic = random_id("topic")
    async with (
        asyncio.timeout(60),
        Client(doors.address) as client,
        Client(doors.second.listen) as answering,
        answering.subscribe(topic) as requests,
        asyncio.TaskGroup() as group,
    ):
        asking = group.create_task(client.request(topic, "?", timeout=50))
        request = await anext(requests)
        await doors.first.kill()
        assert await request.reply("!")
        reply: Event = await asking
        assert reply.payload == "!"
