"""What a subscription says when it joins again, to a gateway that breaks off in ways in which the real one can't."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from penstock.client import Client, errors
from penstock.v1.event_pb2 import DeliveredEvent, TopicEvent
from penstock.v1.gateway_pb2 import SubscribeEventsRequest, SubscribeEventsResponse
from penstock.v1.gateway_pb2_grpc import GatewayServiceServicer, add_GatewayServiceServicer_to_server
from penstock.wire.status import code_of, to_status, trailing_details

PATIENCE = 10.0


@dataclass
class Door(GatewayServiceServicer):
    """Plays a list of messages to each call in turn, each of which then ends well, and stays open in the last."""

    calls: Sequence[Sequence[SubscribeEventsResponse]]
    refusal: errors.PenstockError | None = None
    joined: list[SubscribeEventsRequest] = field(default_factory=list)
    answers: list[SubscribeEventsRequest] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def SubscribeEvents(  # noqa: N802 - the rpc's name
        self, request_iterator: AsyncIterator[SubscribeEventsRequest], context: Any
    ) -> AsyncGenerator[SubscribeEventsResponse]:
        """Plays the script."""
        self.joined.append(await anext(request_iterator))
        call = len(self.joined)
        for message in self.calls[min(call, len(self.calls)) - 1]:
            yield message
        if call < len(self.calls):
            return
        if self.refusal is not None:
            status = to_status(self.refusal, "req-1")
            await context.abort(code_of(self.refusal), status.message, (trailing_details(status),))
        async for answer in request_iterator:
            self.answers.append(answer)
            self.answered.set()


@asynccontextmanager
async def playing(door: Door) -> AsyncGenerator[Client]:
    """Serves a door for the block, and gives a client that stands before it."""
    server = grpc.aio.server()
    add_GatewayServiceServicer_to_server(door, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with asyncio.timeout(PATIENCE), Client(f"127.0.0.1:{port}") as client:
            yield client
    finally:
        await server.stop(None)


def message(*positions: int, following: int = 0, skipped: int = 0) -> SubscribeEventsResponse:
    """Makes a message with events at these positions."""
    events = [
        DeliveredEvent(position=one, delivery=1, event=TopicEvent(event_id=f"e{one}", payload_json=str(one)))
        for one in positions
    ]
    return SubscribeEventsResponse(events=events, next_position=following, skipped_events=skipped)


async def test_a_member_says_again_what_it_is_done_with() -> None:
    """In the message that joins its group again, so that the group does not give it out again."""
    door = Door([[message(following=1), message(1, 2)], [message(following=3), message(3)]])
    async with playing(door) as client, client.subscribe("t", group="g") as events:
        assert [(await anext(events)).payload for _ in range(3)] == [1, 2, 3]
    assert [list(joined.acknowledged_positions) for joined in door.joined] == [[], [1, 2]]


async def test_an_own_group_begins_again_after_what_is_done() -> None:
    """At the first position that is not; and where nothing came, at the one that it was promised."""
    door = Door([[message(following=7)], [message(following=7), message(7, 8)], [message(following=9), message(9)]])
    async with playing(door) as client, client.subscribe("t") as events:
        assert [(await anext(events)).payload for _ in range(3)] == [7, 8, 9]
    assert [joined.from_position for joined in door.joined] == [0, 7, 9]
    assert [joined.HasField("from_position") for joined in door.joined] == [False, True, True]


async def test_an_own_group_begins_again_at_what_the_program_holds() -> None:
    """What was answered after it is not handed out again, and is answered again to the new group."""
    door = Door([[message(following=1), message(1, 2, 3)], [message(following=1), message(1, 2, 3, 4)]])
    async with playing(door) as client, client.subscribe("t", auto_acknowledge=False) as events:
        held, second, third = [await anext(events) for _ in range(3)]
        await second.acknowledge()
        await third.fail("no")
        again, new = await anext(events), await anext(events)
        assert [event.payload for event in (again, new)] == [3, 4]
        await held.acknowledge()
        said: set[int] = set()
        while said != {1, 2}:
            await door.answered.wait()
            door.answered.clear()
            said.update(*(answer.acknowledged_positions for answer in door.answers))
    assert door.joined[1].from_position == 1


async def test_what_was_dropped_is_counted() -> None:
    """As the gateway tells it, and where a group of one's own can't begin again where it was."""
    door = Door([[message(following=1), message(1, skipped=5)], [message(following=10), message(10)]])
    async with playing(door) as client, client.subscribe("t") as events:
        await anext(events)
        assert events.skipped == 5
        await anext(events)
        assert events.skipped == 5 + 8


async def test_an_event_whose_time_went_by_is_not_handed_out_twice() -> None:
    """Neither while it waits to be, nor while the program holds it, nor when it has just been answered."""
    door = Door([[message(following=1), message(1, 2), message(1, 2), message(3), message(1)]])
    async with playing(door) as client, client.subscribe("t", group="g") as events:
        assert [(await anext(events)).payload for _ in range(3)] == [1, 2, 3]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(events)


async def test_a_refusal_ends_the_subscription() -> None:
    """What another try can't mend is raised at once, also after it has joined; then it is over."""
    refused = errors.InvalidArgument.of([("from_position", "is beyond the topic's end")])
    door = Door([[message(following=1)]], refusal=refused)
    async with playing(door) as client, client.subscribe("t") as events:
        with pytest.raises(errors.InvalidArgument, match="beyond the topic's end"):
            await anext(events)
        with pytest.raises(StopAsyncIteration):
            await anext(events)
    assert len(door.joined) == 1
