"""Publishing to a topic, being a member of a group, and asking over a topic; types and all."""

import asyncio
import sys
from typing import Any, assert_type

from penstock.client import Client, Event, Subscription, new_event


async def publish(client: Client) -> None:
    """Publishes one event, and several at once."""
    assert_type(await client.publish("orders", {"order": 1}, type="order.placed", event_id="order-1"), int)
    more = [new_event({"order": n}, event_id=f"order-{n}") for n in (2, 3)]
    assert_type(await client.publish_events("orders", more), list[int])


async def work(client: Client) -> None:
    """Takes a share of a group's events."""
    async with client.subscribe("orders", group="billing", from_beginning=True) as orders:
        assert_type(orders, Subscription)
        async for order in orders:
            assert_type(order, Event)
            assert_type(order.payload, Any)
            if order.payload["order"] == 2 and order.delivery == 1:
                await order.fail("not at the first try")
                continue
            print(f"order {order.payload['order']}, delivery {order.delivery}")
            if order.id == "order-3":
                break


async def answer(client: Client, ready: asyncio.Event) -> None:
    """Answers one request."""
    async with client.subscribe("prices", group="pricing") as requests:
        ready.set()
        async for request in requests:
            assert_type(await request.reply({"price": 7}), bool)
            break


async def main(address: str) -> None:
    """Does one after the other."""
    async with Client(address) as client:
        await publish(client)
        await work(client)
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Event()
            group.create_task(answer(client, ready))
            await ready.wait()
            reply = await client.request("prices", {"article": "ink"}, timeout=10)
            assert_type(reply, Event)
            print(f"it costs {reply.payload['price']}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
