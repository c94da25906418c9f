"""An import that can't be right is refused, and leaves nothing behind."""

from __future__ import annotations

import base64

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.v1 import state_admin_pb2 as pb
from penstock.v1 import state_pb2 as values
from penstock.v1.event_pb2 import DeliveredEvent, TopicEvent
from penstock.v1.run_event_pb2 import RunEvent
from penstock.wire.errors import FailedPrecondition, InvalidArgument
from tests.state.house import error_of
from tests.state.two_stores import Served, fill, first, second, without_cursors

__all__ = ["first", "second"]


async def test_a_run_whose_events_are_not_all_there_is_not_made(first: Served, second: Served) -> None:
    """A gap in the file is named, and leaves nothing behind that anyone sees."""
    await fill(first[0])
    records = [record for record in await first[1].export() if not record.HasField("events")]
    outcomes = await second[1].take_in(*records)
    runs = [place for place, record in enumerate(records) if record.HasField("run")]
    with_events = [place for place in runs if records[place].run.record.run.last_sequence]
    assert [outcomes[place] for place in with_events] == ["CONFLICT"] * 3


async def test_an_import_that_can_not_be_right_is_refused(first: Served) -> None:
    """A newer format, a store whose clock is behind, records that are none, and cursors made up."""
    (header, *_) = await first[1].export()
    newer = pb.StoreRecord()
    newer.CopyFrom(header)
    newer.header.format_version += 1
    ahead = pb.StoreRecord()
    ahead.CopyFrom(header)
    ahead.header.time.seconds += 60
    for record, reason in ((newer, "EXPORT_TOO_NEW"), (ahead, "CLOCK_BEHIND")):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await first[1].take_in(record)
        refused = error_of(raised.value)
        assert isinstance(refused, FailedPrecondition)
        assert refused.reason == reason
    for records in ([], [pb.StoreRecord()]):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await first[1].take_in(*records)
        assert isinstance(error_of(raised.value), InvalidArgument)
    for cursor in ("x", "bnVsbA==", "WzEsMl0=", *(made_up(place) for place in WRONG_PLACES)):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await first[1].export(cursor)
        wrong = error_of(raised.value)
        assert isinstance(wrong, InvalidArgument)
        assert [violation.field for violation in wrong.violations] == ["after_cursor"]


WRONG_PLACES = (
    "[0,99999999999999999999,null]",
    '[2,1,-3,"acme","s","61636d650073"]',
    '[3,1,null,"t","n","ffffffffffffffff"]',
    '[1,1,null,"t","n","ff00ff"]',
)


def made_up(place: str) -> str:
    """A cursor that has the form of one."""
    return base64.urlsafe_b64encode(place.encode()).decode()


G = pb.ExportedGroup(group="g", next_position=1)


def at(position: int) -> DeliveredEvent:
    """An event at a position."""
    return DeliveredEvent(position=position, event=TopicEvent(event_id="n", type="t", payload_json="{}"))


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (pb.StoreRecord(value=pb.ExportedValue(tenant="acme")), ["value.value.key", "value.value.version"]),
        (
            pb.StoreRecord(value=pb.ExportedValue(tenant="acme", value=values.StoredValue(key="k", version=2**63 - 1))),
            ["value.value.version"],
        ),
        (pb.StoreRecord(session=pb.ExportedSession(tenant="acme")), ["session.session.session_id"]),
        (
            pb.StoreRecord(messages=pb.ExportedMessages(tenant="acme", session_id="s")),
            ["messages.messages"],
        ),
        (pb.StoreRecord(events=pb.ExportedEvents(tenant="acme", run_id="r")), ["events.events"]),
        (
            pb.StoreRecord(run=pb.ExportedRun()),
            ["run.tenant", "run.record.run.run_id", "run.record.run.state"],
        ),
        (pb.StoreRecord(topic=pb.ExportedTopic(topic="t")), ["topic.tenant", "topic.next_position"]),
        (
            pb.StoreRecord(topic=pb.ExportedTopic(tenant="acme", next_position=2**60)),
            ["topic.topic", "topic.next_position"],
        ),
        (
            pb.StoreRecord(
                topic=pb.ExportedTopic(
                    tenant="acme", topic="t", next_position=1, groups=[pb.ExportedGroup(group="~g"), *[G] * 2]
                )
            ),
            ["topic.groups.group", "topic.groups.next_position", "topic.groups"],
        ),
        (
            pb.StoreRecord(topic_events=pb.ExportedTopicEvents(tenant="acme", topic="t", events=[at(2), at(2)])),
            ["topic_events.events.position"],
        ),
        (
            pb.StoreRecord(topic_events=pb.ExportedTopicEvents(tenant="acme", topic="t", events=[at(0)])),
            ["topic_events.events.position"],
        ),
        (
            pb.StoreRecord(events=pb.ExportedEvents(tenant="acme", run_id="r", events=[RunEvent()])),
            ["events.events.sequence"],
        ),
        (
            pb.StoreRecord(
                value=pb.ExportedValue(
                    tenant="acme",
                    value=values.StoredValue(key="k", version=1, create_time=Timestamp(seconds=2**60)),
                )
            ),
            ["value.value.create_time"],
        ),
        (pb.StoreRecord(topic_events=pb.ExportedTopicEvents(tenant="acme", topic="t")), ["topic_events.events"]),
    ],
)
async def test_a_record_that_does_not_say_whose_or_what_it_is_is_refused_by_its_field(
    first: Served, record: pb.StoreRecord, fields: list[str]
) -> None:
    """A line that somebody has changed makes nothing that no service could reach."""
    before = without_cursors(await first[1].export())
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await first[1].take_in(record)
    wrong = error_of(raised.value)
    assert isinstance(wrong, InvalidArgument)
    assert [violation.field for violation in wrong.violations] == [f"records.{field}" for field in fields]
    assert without_cursors(await first[1].export()) == before
