"""Topics at the door: the caller's tenant alone, answers on the stream itself, and nothing lost when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from penstock.v1.event_pb2 import (
    AcknowledgeRequest,
    DeliveredEvent,
    FailedDelivery,
    PublishRequest,
    SubscribeRequest,
    TopicEvent,
)
from penstock.v1.gateway_pb2 import PublishEventRequest, SubscribeEventsRequest, SubscribeEventsResponse
from penstock.wire import errors
from penstock.wire.status import from_rpc_error
from tests.gateway.house import House, open_house
from tests.gateway.recording import TENANT

PATIENCE = 10.0


class Member:
    """Stands at the door with one subscription."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.first = SubscribeEventsResponse()

    async def next(self) -> DeliveredEvent:
        """Returns the next event, which comes alone."""
        async with asyncio.timeout(PATIENCE):
            while not (message := await self._call.read()).events:
                pass
        (event,) = message.events
        found: DeliveredEvent = event
        return found

    async def answer(self, *done: int, failed: int = 0) -> None:
        """Says that positions are done with, or that one failed."""
        request = SubscribeEventsRequest(acknowledged_positions=done)
        if failed:
            request.failed.add(position=failed, reason="no")
        await self._call.write(request)

    async def leave(self) -> object:
        """Sends no more and returns what the stream ends with."""
        await self._call.done_writing()
        async with asyncio.timeout(PATIENCE):
            while (message := await self._call.read()) is not grpc.aio.EOF:
                pass
        return message


@asynccontextmanager
async def member(house: House, **fields: Any) -> AsyncGenerator[Member]:
    """Joins a group of topic `t`, or another, for the block."""
    call = house.gateway.SubscribeEvents()
    try:
        await call.write(SubscribeEventsRequest(**{"topic": "t", "max_unacknowledged": 1, **fields}))
        joined = Member(call)
        async with asyncio.timeout(PATIENCE):
            joined.first = await call.read()
        yield joined
    finally:
        call.cancel()


def event(name: str = "", **fields: Any) -> TopicEvent:
    """Makes an event."""
    return TopicEvent(**{"event_id": name, "type": "thing.happened", "payload_json": "{}", **fields})


async def publish(house: House, *names: str, topic: str = "t") -> list[int]:
    """Publishes events at the door; returns their positions."""
    request = PublishEventRequest(topic=topic, events=[event(name) for name in names])
    return list((await house.gateway.PublishEvent(request)).positions)


async def refusal(call: Any) -> errors.PenstockError:
    """Returns the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async with asyncio.timeout(PATIENCE):
            await call
    return from_rpc_error(raised.value)


async def test_what_is_published_arrives_and_goes_when_it_is_acknowledged(house: House) -> None:
    """Answers travel on the stream; the next event comes when there is room again."""
    async with member(house, group="g") as reader:
        assert reader.first.next_position == 1
        assert await publish(house, "x", "y") == [1, 2]
        assert (await reader.next()).event.event_id == "x"
        await reader.answer(1)
        assert (await reader.next()).event.event_id == "y"
        await reader.answer(failed=2)
        again = await reader.next()
        assert (again.position, again.delivery) == (2, 2)


async def test_an_event_without_a_name_gets_one(house: House) -> None:
    """Each call publishes it anew; with a name the repeat changes nothing."""
    assert await publish(house, "", "") == [1, 2]
    assert await publish(house, "", "x") == [3, 4]
    assert await publish(house, "x") == [4]


async def test_a_member_that_sends_no_more_leaves_when_its_answers_are_taken(house: House) -> None:
    """The stream ends well, and what was answered last stays answered."""
    await publish(house, "x", "y")
    async with member(house, group="g", from_position=0, max_unacknowledged=2) as reader:
        await reader.answer(1)
        assert await reader.leave() is grpc.aio.EOF
    async with member(house, group="g") as reader:
        assert (await reader.next()).position == 2


async def test_the_first_message_may_answer_for_an_earlier_stream(house: House) -> None:
    """So a member whose connection broke does not get again what it is done with."""
    await publish(house, "x", "y")
    async with member(house, group="g", from_position=0) as reader:
        assert (await reader.next()).position == 1
    async with member(house, group="g", acknowledged_positions=[1]) as reader:
        assert (await reader.next()).position == 2
    async with member(house, group="g", failed=[FailedDelivery(position=2, reason="no")]) as reader:
        assert (await reader.next()).position == 2


async def test_many_answers_at_once_are_all_taken(house: House) -> None:
    """More than one call to the state layer can have, in messages of any size."""
    count = 2500
    for first in range(0, count, 500):
        await publish(house, *(f"e{n}" for n in range(first, first + 500)))
    taken = 0
    call = house.gateway.SubscribeEvents()
    await call.write(SubscribeEventsRequest(topic="t", group="g", from_position=0, max_unacknowledged=1000))
    async with asyncio.timeout(30):
        while taken < count:
            positions = [got.position for got in (await call.read()).events]
            taken += len(positions)
            await call.write(SubscribeEventsRequest(acknowledged_positions=positions))
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass
    unknown = await house.events.Acknowledge(
        AcknowledgeRequest(tenant=TENANT, topic="t", group="g", positions=range(1501, 2501))
    )
    assert len(unknown.unknown_positions) == 1000


async def test_answers_behind_many_others_are_taken_before_the_stream_ends(house: House) -> None:
    """However much a caller says before it sends no more, all of it is said to the state layer."""
    await publish(house, "x", "y")
    async with member(house, group="g", from_position=0, max_unacknowledged=2) as reader:
        for _ in range(3):
            await reader.answer(*range(1001, 2001))
        await reader.answer(1, 2)
        assert await reader.leave() is grpc.aio.EOF
    left = AcknowledgeRequest(tenant=TENANT, topic="t", group="g", positions=[1, 2])
    assert list((await house.events.Acknowledge(left)).unknown_positions) == [1, 2]


async def test_a_caller_is_in_its_own_tenant(house: House) -> None:
    """What the state layer has of another tenant's topic of the same name is not seen."""
    await house.events.Publish(PublishRequest(tenant="other", topic="t", events=[event("secret")]))
    async with member(house, from_position=0) as reader:
        assert reader.first.next_position == 1
        await publish(house, "ours")
        assert (await reader.next()).event.event_id == "ours"


async def test_only_the_mesh_publishes_to_its_own_topics(house: House) -> None:
    """Callers may subscribe to them, and what they publish there is refused."""
    error = await refusal(publish(house, "x", topic="penstock.runs"))
    assert isinstance(error, errors.PermissionDenied)
    assert error.reason == "RESERVED_TOPIC"
    async with member(house, topic="penstock.runs") as reader:
        mine = PublishRequest(tenant=TENANT, topic="penstock.runs", events=[event("x")])
        await house.events.Publish(mine)
        assert (await reader.next()).event.event_id == "x"


async def test_a_reply_to_one_who_has_gone_is_not_found(house: House) -> None:
    """The error names the address."""
    error = await refusal(publish(house, "x", topic="reply.nobody"))
    assert isinstance(error, errors.NotFound)
    assert (error.reason, error.metadata["topic"]) == ("REPLY_ADDRESS_GONE", "reply.nobody")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"topic": ""}, "topic"),
        ({"group": "a b"}, "group"),
        ({"group": "~stream"}, "group"),
        ({"max_unacknowledged": 1001}, "max_unacknowledged"),
        ({"from_position": 5}, "from_position"),
        ({"group": "g", "acknowledged_positions": [0]}, "positions"),
    ],
)
async def test_what_can_t_be_subscribed_to_names_the_field(house: House, fields: dict[str, Any], named: str) -> None:
    """The state layer's word reaches the caller."""

    async def join() -> None:
        async with member(house, **fields):
            pass

    error = await refusal(join())
    assert isinstance(error, errors.InvalidArgument)
    assert [violation.field for violation in error.violations] == [named]


async def test_a_stream_without_a_first_message_is_told_so(house: House) -> None:
    """A caller that sends nothing and closes its side has said nothing to subscribe to."""
    call = house.gateway.SubscribeEvents()
    await call.done_writing()
    error = await refusal(call.read())
    assert isinstance(error, errors.InvalidArgument)


async def test_a_wrong_answer_ends_the_stream_with_the_reason(house: House) -> None:
    """What was out is then delivered again."""
    await publish(house, "x")
    async with member(house, group="g", from_position=0) as reader:
        await reader.next()
        await reader.answer(0)
        error = await refusal(reader.leave())
        assert isinstance(error, errors.InvalidArgument)
    async with member(house, group="g") as reader:
        assert (await reader.next()).position == 1


async def test_without_the_state_layer_streams_end_with_unavailable(house: House) -> None:
    """A stream that stands ends when the layer goes, and a new one does not begin."""
    async with member(house, group="g") as reader:
        await house.servers["state"].stop(None)
        assert isinstance(await refusal(reader.leave()), errors.Unavailable)
    assert isinstance(await refusal(publish(house, "x")), errors.Unavailable)


async def test_a_door_of_another_tenant_has_topics_of_its_own(tmp_path: Path) -> None:
    """The same state, asked on behalf of another tenant, gives other topics."""
    async with open_house(tmp_path, tenant="blue") as blue:
        await blue.events.Publish(PublishRequest(tenant="red", topic="t", events=[event("x"), event("y")]))
        assert await publish(blue, "z") == [1]
        request = SubscribeRequest(tenant="blue", topic="t", from_position=0)
        call = blue.events.Subscribe(request)
        assert (await call.read()).next_position == 1
        call.cancel()
