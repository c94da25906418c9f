"""What can't be published, subscribed to or answered is said by its field."""

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.v1.event_pb2 import AcknowledgeRequest, FailedDelivery, PublishRequest
from penstock.wire.errors import InvalidArgument
from tests.state.house import House, error_of
from tests.state.subscriber import event, publish, subscriber


async def test_a_group_cannot_begin_in_the_future(house: House) -> None:
    """The next position may be asked for, and one after it is refused naming the field."""
    await publish(house.events, "x")
    async with subscriber(house.events, from_position=2) as reader:
        assert reader.first.next_position == 2
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async with subscriber(house.events, from_position=3):
            pass
    assert [violation.field for violation in _invalid(raised.value).violations] == ["from_position"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tenant": ""}, "tenant"),
        ({"topic": "no topic"}, "topic"),
        ({"topic": "t" * 129}, "topic"),
        ({"events": []}, "events"),
        ({"events": [event(f"e{n}") for n in range(1001)]}, "events"),
        ({"events": [event("")]}, "events[0].event_id"),
        ({"events": [event("x" * 257)]}, "events[0].event_id"),
        ({"events": [event("x"), event("y", type="a type")]}, "events[1].type"),
        ({"events": [event("x", type="")]}, "events[0].type"),
        ({"events": [event("x", payload_json="")]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="{")]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="NaN")]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json='"\\ud800"')]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="[" * 101 + "]" * 101)]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json="[" * 500_000)]}, "events[0].payload_json"),
        ({"events": [event("x", payload_json='"' + "x" * 1024 * 1024 + '"')]}, "events[0].payload_json"),
        ({"events": [event("x", correlation_id="c c")]}, "events[0].correlation_id"),
        ({"events": [event("x", reply_topic="/")]}, "events[0].reply_topic"),
        ({"events": [event("x", deadline_time=Timestamp(seconds=2**60))]}, "events[0].deadline_time"),
        ({"events": [event("x", time=Timestamp(seconds=1))]}, "events[0].time"),
        ({"events": [event("x", metadata={"k": "v" * 9000})]}, "events[0].metadata"),
    ],
)
async def test_what_can_t_be_published_is_named(house: House, fields: dict[str, object], named: str) -> None:
    """Nothing of such a call is published."""
    request = PublishRequest(**{"tenant": "a", "topic": "t", "events": [event("x")], **fields})  # type: ignore[arg-type] # the fields are of many types
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.events.Publish(request)
    assert [violation.field for violation in _invalid(raised.value).violations] == [named]


@pytest.mark.parametrize("payload", ["[" * 100 + "]" * 100, '"' + "[" * 200 + '"', "1" * 5000, "1e999", "null"])
async def test_odd_json_is_kept_as_it_is(house: House, payload: str) -> None:
    """Depth up to the limit, brackets in strings, and numbers that no machine has are JSON too."""
    await house.events.Publish(PublishRequest(tenant="a", topic="t", events=[event("x", payload_json=payload)]))
    async with subscriber(house.events, from_position=0) as reader:
        assert (await reader.next()).event.payload_json == payload


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tenant": ""}, "tenant"),
        ({"topic": ""}, "topic"),
        ({"group": "~mine"}, "group"),
        ({"topic": "t" * 100, "group": "g" * 23}, "group"),
        ({"member": "a b"}, "member"),
        ({"from_position": 2**63}, "from_position"),
        ({"max_unacknowledged": 1001}, "max_unacknowledged"),
        ({"visibility_timeout": Duration(nanos=999_999_999)}, "visibility_timeout"),
        ({"visibility_timeout": Duration(seconds=12 * 3600 + 1)}, "visibility_timeout"),
        ({"visibility_timeout": Duration(seconds=-1)}, "visibility_timeout"),
    ],
)
async def test_what_can_t_be_subscribed_to_is_named(house: House, fields: dict[str, object], named: str) -> None:
    """The call ends before anything is made."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        async with subscriber(house.events, **fields):
            pass
    assert [violation.field for violation in _invalid(raised.value).violations] == [named]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"group": ""}, "group"),
        ({"positions": [0]}, "positions"),
        ({"positions": [2**63]}, "positions"),
        ({"positions": range(1, 1002)}, "positions"),
        ({"failed": [FailedDelivery(position=0)]}, "failed[0].position"),
        ({"failed": [FailedDelivery(position=1, reason="x" * 1025)]}, "failed[0].reason"),
    ],
)
async def test_answers_that_can_t_be_taken_are_named(house: House, fields: dict[str, object], named: str) -> None:
    """A whole call is refused or taken."""
    request = AcknowledgeRequest(**{"tenant": "a", "topic": "t", "group": "g", **fields})  # type: ignore[arg-type] # the fields are of many types
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.events.Acknowledge(request)
    assert [violation.field for violation in _invalid(raised.value).violations] == [named]


def _invalid(error: grpc.aio.AioRpcError) -> InvalidArgument:
    refused = error_of(error)
    assert isinstance(refused, InvalidArgument)
    return refused
