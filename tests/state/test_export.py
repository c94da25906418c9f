"""Export and import: whatever a store holds comes through as it was, and nothing that is there is overwritten."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import grpc.aio
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.state.clock import to_timestamp
from penstock.state.exporting import export
from penstock.state.settings import StateSettings
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1 import state_pb2 as values
from penstock.v1.event_pb2 import DeliveredEvent, PublishRequest, TopicEvent
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import Content
from penstock.v1.session_pb2 import (
    AppendMessagesRequest,
    DropSessionRequest,
    ReadMessagesRequest,
    ReadSessionRequest,
    SessionMessage,
    UpdateSessionRequest,
)
from penstock.wire.errors import FailedPrecondition, InvalidArgument
from tests.state import entries as e
from tests.state.admin import Admin, administered
from tests.state.house import House, error_of, open_house
from tests.state.subscriber import publish, subscriber

Served = tuple[House, Admin]


@asynccontextmanager
async def served(settings: StateSettings, url: str) -> AsyncGenerator[Served]:
    """A store without the events of runs' lives, which come when they come."""
    async with (
        open_house(replace(settings, url=url, lifecycle_topic="")) as house,
        administered(house.layer) as admin,
    ):
        yield house, admin


@pytest.fixture
async def first(settings: StateSettings) -> AsyncGenerator[Served]:
    """The store that is exported."""
    async with served(settings, settings.url) as found:
        yield found


@pytest.fixture
async def second(settings: StateSettings, second_url: str) -> AsyncGenerator[Served]:
    """The empty store that takes it in."""
    async with served(settings, second_url) as found:
        yield found


async def fill(house: House) -> None:
    """Puts some of everything into a store."""
    for tenant, key in (("acme", "plain"), ("acme", "ü/{x}:*"), ("other", "plain")):
        await house.values.SetValue(
            values.SetValueRequest(
                tenant=tenant, key=key, data=b"\0\xff", metadata=values.ValueMetadata(entries={"a": "b"})
            )
        )
    await house.values.SetValue(
        values.SetValueRequest(tenant="acme", key="short", data=b"x", expiry=values.Expiry(ttl=e.seconds(3600)))
    )
    await house.sessions.UpdateSession(
        UpdateSessionRequest(tenant="acme", session_id="s", data_json='{"n": 123456789012345678901, "empty": []}')
    )
    await e.lease(house)
    await e.record(house, e.record_entry("ended", session="s", labels={"team": "a"}))
    await e.append_events(house, "ended", *[e.token(f"t{number}") for number in range(300)])
    entry = e.append_entry("ended", e.step_finished(output="said"), e.run_finished(output_step="main"))
    entry.session_messages.append(e.message("ended:answer", "said"))
    await e.append(house, entry)
    await e.record(house, e.record_entry("going", session="s", timeout=3600))
    checkpointed = e.append_entry("going", e.token("half"))
    checkpointed.checkpoint = b"\1\2"
    await e.append(house, checkpointed)
    await e.record(house, e.record_entry("waiting", session="s", owner=""))
    await e.record(house, e.record_entry("alone", tenant="other", session=""))
    await e.cancel(house, "going")
    await house.events.Publish(
        PublishRequest(
            tenant="acme",
            topic="news",
            events=[TopicEvent(event_id=f"n{number}", type="t", payload_json="{}") for number in range(5)],
        )
    )
    async with subscriber(house.events, tenant="acme", topic="news", group="g", from_position=0) as reader:
        await reader.some(5)
        await reader.acknowledge(1, 2, 4)
    async with asyncio.timeout(5):
        while not all(given.reason for given in (await given_to(house, "g")).deliveries):  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.01)  # the end of a stream is noticed when the store comes to it, and sends no event


async def given_to(house: House, group: str) -> pb.ExportedGroup:
    """What a group of the topic has got."""
    topic = await house.layer.store.care.topic("acme", "news")
    assert topic is not None
    return next(found for found in topic.groups if found.group == group)


def without_cursors(records: Sequence[pb.StoreRecord]) -> list[pb.StoreRecord]:
    """What records say, the begin and the end of the export apart."""
    said = []
    for record in records:
        if record.WhichOneof("record") not in ("header", "end"):
            copy = pb.StoreRecord()
            copy.CopyFrom(record)
            copy.cursor = ""
            said.append(copy)
    return said


async def test_an_imported_store_exports_the_same(first: Served, second: Served) -> None:
    """Versions, generations, sequences, epochs, times, data, labels and what groups have not answered come through."""
    await fill(first[0])
    records = await first[1].export()
    outcomes = await second[1].take_in(*records)
    assert set(outcomes[1:-1]) <= {"WRITTEN", "PRESENT"}
    kinds = [record.WhichOneof("record") for record in records]
    assert {"value", "session", "messages", "events", "run", "topic", "topic_events"} <= set(kinds)
    assert (kinds[0], kinds[-1]) == ("header", "end")
    again = without_cursors(await second[1].export())
    once = without_cursors(records)
    # Sessions that changed while the first export went on would stand twice in it; nothing did.
    assert again == once
    assert await second[1].problems() == []


async def test_what_was_imported_goes_on(first: Served, second: Served) -> None:
    """Readers find the same logs and messages; the unfinished run is claimed with the next epoch, and then the next."""
    await fill(first[0])
    logs = {run: await e.read_log(first[0], run) for run in ("ended", "going")}
    await second[1].take_in(*await first[1].export())
    house = second[0]
    for run, log in logs.items():
        assert await e.read_log(house, run) == log
    ended = (await e.run_record(house, "ended")).run
    assert ended.output == [Content(text="said")]
    await e.lease(house, "newcomer")
    claimed = (await e.claim(house, "newcomer")).runs
    assert {run.record.run.run_id: run.record.epoch for run in claimed} == {"going": 2, "alone": 2}
    going = next(run.record for run in claimed if run.record.run.run_id == "going")
    assert dict(going.checkpoints) == {"main": b"\1\2"}
    assert [signal.signal_id for signal in going.pending_signals] == ["signal-1"]
    assert (going.run.last_sequence, going.run.generation) == (3, 1)
    await e.append_as_owner(house, "going", e.run_finished(e.RunState.RUN_STATE_FAILED), epoch=2)
    assert [run.record.run.run_id for run in (await e.claim(house, "newcomer")).runs] == ["waiting"]
    session = (await house.sessions.ReadSession(ReadSessionRequest(tenant="acme", session_id="s"))).session
    assert session.next_index == 3
    async with subscriber(house.events, tenant="acme", topic="news", group="g") as reader:
        assert [event.position for event in await reader.some(2)] == [3, 5]


async def test_a_version_never_comes_twice_over_a_move(first: Served, second: Served) -> None:
    """A value that was deleted before the move gets a version above the one it had."""
    request = values.SetValueRequest(tenant="acme", key="k", data=b"x")
    old = (await first[0].values.SetValue(request)).version
    kept = (await first[0].values.SetValue(values.SetValueRequest(tenant="acme", key="kept"))).version
    await first[0].values.DeleteValue(values.DeleteValueRequest(tenant="acme", key="k"))
    await second[1].take_in(*await first[1].export())
    assert (await second[0].values.SetValue(request)).version > old
    got = await second[0].values.GetValue(values.GetValueRequest(tenant="acme", key="kept"))
    assert got.value.version == kept


async def test_a_value_that_was_deleted_since_does_not_come_back(first: Served, second: Served) -> None:
    """Imported again it would have the version that somebody may still hold to change it; deleted before, it comes."""
    request = values.SetValueRequest(tenant="acme", key="k", data=b"x")
    await second[0].values.SetValue(request)
    await second[0].values.DeleteValue(values.DeleteValueRequest(tenant="acme", key="k"))
    written = (await first[0].values.SetValue(request)).version
    (record,) = [record for record in await first[1].export() if record.HasField("value")]
    record.value.value.version += 1_000_000  # whatever the two servers' clocks say
    assert await second[1].take_in(record) == ["WRITTEN"]
    await second[0].values.SetValue(request)
    await second[0].values.DeleteValue(values.DeleteValueRequest(tenant="acme", key="k"))
    assert await second[1].take_in(record) == ["CONFLICT"]
    stale = values.CompareAndSetValueRequest(tenant="acme", key="k", data=b"y", version_is=written + 1_000_000)
    assert not (await second[0].values.CompareAndSetValue(stale)).applied


async def test_importing_again_changes_nothing(first: Served, second: Served) -> None:
    """Every record is there already; so an import that was cut off is simply done again."""
    await fill(first[0])
    records = await first[1].export()
    await second[1].take_in(*records[: len(records) // 2])
    await second[1].take_in(*records)
    before = without_cursors(await second[1].export())
    assert set(await second[1].take_in(*records)) == {"PRESENT"}
    assert without_cursors(await second[1].export()) == before


async def test_what_retention_took_since_does_not_stop_an_import(settings: StateSettings, second_url: str) -> None:
    """A log that was trimmed, and a topic that has dropped its oldest, are compared by what they still have."""
    async with served(settings, settings.url) as first:
        await fill(first[0])
        records = await first[1].export()
    bounded = replace(settings, log_retention=1e-6, max_topic_events=6, sweep_seconds=3600.0)
    async with served(bounded, second_url) as second:
        await second[1].take_in(*records)
        async with asyncio.timeout(10):
            while await second[0].layer.store.sweep():
                pass
        (trimmed,) = [record.run for record in records if record.run.record.run.run_id == "ended"]
        log = await second[0].layer.store.runs.open_log("acme", "ended")
        assert log is not None
        assert 1 < (await log.state()).first_sequence <= trimmed.record.run.last_sequence
        await publish(second[0].events, "later", "last", "newest", tenant="acme", topic="news")
        outcomes = await second[1].take_in(*records)
        again = [(record.WhichOneof("record"), said) for record, said in zip(records, outcomes, strict=True)]
        assert {said for kind, said in again if kind in ("events", "topic_events", "run")} == {"PRESENT"}


async def test_what_is_there_is_never_overwritten(first: Served, second: Served) -> None:
    """Another value, session, run or topic of the same name stays, and the conflict is named."""
    await fill(first[0])
    house = second[0]
    await house.values.SetValue(values.SetValueRequest(tenant="acme", key="plain", data=b"mine"))
    await house.sessions.AppendMessages(
        AppendMessagesRequest(
            tenant="acme", session_id="s", messages=[SessionMessage(message_id="m", content=[Content(text="mine")])]
        )
    )
    await e.lease(house)
    await e.record(house, e.record_entry("alone", tenant="other", text="mine"))
    await house.events.Publish(
        PublishRequest(tenant="acme", topic="news", events=[TopicEvent(event_id="n0", type="t", payload_json="1")])
    )
    # One in which the messages of the other would find their place.
    await first[0].sessions.AppendMessages(
        AppendMessagesRequest(tenant="acme", session_id="same", messages=[e.message("theirs")])
    )
    await house.sessions.UpdateSession(UpdateSessionRequest(tenant="acme", session_id="same", data_json="1"))
    records = await first[1].export()
    outcomes = await second[1].take_in(*records)
    same = await house.sessions.ReadMessages(ReadMessagesRequest(tenant="acme", session_id="same"))
    assert not same.messages
    conflicts = {records[place].WhichOneof("record") for place, outcome in enumerate(outcomes) if outcome == "CONFLICT"}
    assert conflicts == {"value", "session", "messages", "events", "run", "topic", "topic_events"}
    mine = await house.values.GetValue(values.GetValueRequest(tenant="acme", key="plain"))
    assert mine.value.data == b"mine"
    messages = await house.sessions.ReadMessages(ReadMessagesRequest(tenant="acme", session_id="s"))
    assert [message.message_id for message in messages.messages] == ["m"]
    assert (await e.run_record(house, "alone", tenant="other")).run.input[0].text == "mine"


async def test_what_was_written_into_an_imported_session_since_is_never_set_back(first: Served, second: Served) -> None:
    """The conversation goes on where it came from, and is imported again: newer data stay, with their version."""
    origin, house = first[0], second[0]
    data = UpdateSessionRequest(tenant="acme", session_id="s", data_json='"theirs"')
    await origin.sessions.UpdateSession(data)
    records = await first[1].export()
    await second[1].take_in(*records)
    data.data_json = '"mine"'
    mine = await house.sessions.UpdateSession(data)
    (newer,) = [record for record in records if record.HasField("session")]
    for first_index in (0, 5):  # also where all the messages that were imported have been cut since
        newer.session.session.update_time.seconds += 1
        newer.session.session.first_index = first_index
        assert await second[1].take_in(newer) == ["CONFLICT"]
    session = (await house.sessions.ReadSession(ReadSessionRequest(tenant="acme", session_id="s"))).session
    assert (session.data_json, session.data_version) == ('"mine"', mine.version)


async def test_an_export_goes_on_after_any_of_its_records(first: Served) -> None:
    """The records after a cursor are those that came after it the first time."""
    await fill(first[0])
    records = await first[1].export()
    for place, record in enumerate(records):
        rest = await first[1].export(record.cursor)
        assert without_cursors(rest) == without_cursors(records[place + 1 :])


async def test_a_long_log_comes_in_pieces_and_is_seen_at_once(first: Served, second: Served) -> None:
    """No piece is much above 128 KiB; until the run itself has come, there is none."""
    await e.lease(first[0])
    await e.record(first[0], e.record_entry("long"))
    for number in range(20):
        await e.append_events(first[0], "long", e.token("x" * 50_000), number=number + 1)
    records = await first[1].export()
    pieces = [record for record in records if record.HasField("events")]
    assert len(pieces) > 5
    assert [event.sequence for piece in pieces for event in piece.events.events] == list(range(1, 23))
    assert max(piece.ByteSize() for piece in pieces) < 256 * 1024
    *_, run, end = records
    await second[1].take_in(*records[:-2])
    names = e.pb.ReadRunsRequest(runs=[e.pb.RunName(tenant=e.TENANT, run_id="long")])
    assert not (await second[0].log.ReadRuns(names)).records
    assert await second[1].take_in(run, end) == ["WRITTEN", "PRESENT"]
    assert await e.read_log(second[0], "long") == await e.read_log(first[0], "long")


async def test_a_topic_s_groups_fit_into_a_message_whatever_was_said_of_their_deliveries(first: Served) -> None:
    """Where all reasons would not, an export leaves them out."""
    deliveries = [pb.ExportedDelivery(position=number, delivery=1, reason="x" * 4000) for number in range(1, 701)]
    groups = [pb.ExportedGroup(group="g", next_position=701, deliveries=deliveries)]
    topic = pb.ExportedTopic(tenant="acme", topic="t", next_position=701, groups=groups)
    assert await first[1].take_in(pb.StoreRecord(topic=topic)) == ["WRITTEN"]
    (record,) = [record for record in await first[1].export() if record.HasField("topic")]
    assert record.ByteSize() < 2 * 1024 * 1024
    assert [given.position for given in record.topic.groups[0].deliveries] == list(range(1, 701))


async def test_a_run_whose_events_are_not_all_there_is_not_made(first: Served, second: Served) -> None:
    """A gap in the file is named, and leaves nothing behind that anyone sees."""
    await fill(first[0])
    records = [record for record in await first[1].export() if not record.HasField("events")]
    outcomes = await second[1].take_in(*records)
    runs = [place for place, record in enumerate(records) if record.HasField("run")]
    with_events = [place for place in runs if records[place].run.record.run.last_sequence]
    assert [outcomes[place] for place in with_events] == ["CONFLICT"] * 3


async def test_a_session_that_changed_meanwhile_comes_again_with_all_that_ended_runs_said(
    first: Served, second: Served
) -> None:
    """A run that is exported as ended has its answer in the session, whenever it was that it ended."""
    house, admin = first
    await fill(house)
    async with asyncio.timeout(10):
        records: list[pb.StoreRecord] = []
        stream = admin.calls.ExportRecords(pb.ExportRecordsRequest())
        before = await admin.export()
        await house.sessions.AppendMessages(
            AppendMessagesRequest(tenant="acme", session_id="s", messages=[e.message("late")])
        )
        after_sessions = next(record.cursor for record in before if record.HasField("run"))
        stream.cancel()
        records = await admin.export(after_sessions)
    assert [record.session.session.session_id for record in records if record.HasField("session")] == ["s"]
    await second[1].take_in(*before)
    assert "WRITTEN" in await second[1].take_in(
        *[r for r in records if r.WhichOneof("record") in ("session", "messages")]
    )
    messages = await second[0].sessions.ReadMessages(ReadMessagesRequest(tenant="acme", session_id="s"))
    assert messages.messages[-1].message_id == "late"


async def test_a_session_that_was_cut_between_two_looks_goes_on_where_it_begins_now(
    first: Served, second: Served
) -> None:
    """Of a conversation that outgrew its limit meanwhile the import has what is kept, and no conflict."""
    (house, admin), (target, taking) = first, second

    async def say(begin: int, end: int) -> None:
        messages = [e.message(f"m{number}") for number in range(begin, end)]
        await house.sessions.AppendMessages(AppendMessagesRequest(tenant="acme", session_id="s", messages=messages))

    await say(0, 80)
    early = await admin.export()
    await e.lease(house)
    await say(80, 400)
    # As in one export, which comes to the sessions that changed a second time at its end.
    late = await admin.export(next(record.cursor for record in early if record.HasField("header")))
    outcomes = await taking.take_in(*early, *late)
    assert "CONFLICT" not in outcomes
    wanted = await house.sessions.ReadMessages(ReadMessagesRequest(tenant="acme", session_id="s", page_size=1000))
    assert [message.index for message in wanted.messages] == list(range(300, 400))
    found = await target.sessions.ReadMessages(ReadMessagesRequest(tenant="acme", session_id="s", page_size=1000))
    assert found == wanted
    assert set(await taking.take_in(*early, *late)) == {"PRESENT"}


async def test_a_session_that_is_cut_or_made_anew_while_it_is_exported_is_never_mixed_up(
    first: Served, second: Served
) -> None:
    """Between two pieces of a long conversation its begin may go, and the conversation itself."""
    (house, _), (target, taking) = first, second

    async def say(session: str, begin: int, end: int, text: str) -> None:
        messages = [e.message(f"m{number}", text * 2000) for number in range(begin, end)]
        await house.sessions.AppendMessages(AppendMessagesRequest(tenant="acme", session_id=session, messages=messages))

    for session in ("anew", "cut"):
        await say(session, 0, 20, "old text ")
    changed: set[str] = set()
    async with aclosing(export(house.layer.store, "")) as exported:
        async for record in exported:
            await taking.take_in(record)
            session = record.messages.session_id
            if session == "cut" and session not in changed:
                for number in range(20, 130, 10):
                    await say("cut", number, number + 10, "new text ")
            if session == "anew" and session not in changed:
                await house.sessions.DropSession(DropSessionRequest(tenant="acme", session_id="anew"))
                await say("anew", 0, 25, "new text ")
            changed.add(session)
    assert {"cut", "anew"} <= changed
    assert [message.index for message in await all_messages(target, "cut")] == list(range(30, 130))
    texts = {message.content[0].text[:8] for message in await all_messages(target, "anew")}
    assert texts == {"old text"}


async def all_messages(house: House, session: str) -> list[SessionMessage]:
    """What a session has, page after page."""
    request = ReadMessagesRequest(tenant="acme", session_id=session)
    found: list[SessionMessage] = []
    while True:
        page = await house.sessions.ReadMessages(request)
        found.extend(page.messages)
        if not page.more:
            return found
        request.from_index = page.messages[-1].index + 1


async def test_expired_values_are_left_out(first: Served, second: Served) -> None:
    """What expired between export and import does not come back."""
    await first[0].values.SetValue(
        values.SetValueRequest(tenant="acme", key="k", expiry=values.Expiry(ttl=e.seconds(3600)))
    )
    (record,) = [record for record in await first[1].export() if record.HasField("value")]
    record.value.value.expire_time.CopyFrom(to_timestamp(1))
    assert await second[1].take_in(record) == ["EXPIRED"]
    assert await second[1].export() != []
    assert not [record for record in await second[1].export() if record.HasField("value")]


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


async def test_the_statistics_count_what_there_is(first: Served) -> None:
    """Each kind of record has a figure."""
    await fill(first[0])
    found = await first[1].stats()
    wanted = {"runs": 4, "unfinished_runs": 3, "queued_runs": 1, "sessions": 1, "values": 4, "topics": 1}
    assert {name: found[name] for name in wanted} == wanted


async def test_the_statistics_add_up_what_several_have(first: Served) -> None:
    """Messages over sessions, events over topics."""
    house = first[0]
    for number in range(5):
        messages = [e.message(f"m{message}") for message in range(number + 1)]
        request = AppendMessagesRequest(tenant=e.TENANT, session_id=f"s{number}", messages=messages)
        await house.sessions.AppendMessages(request)
        await publish(house.events, *(f"n{event}" for event in range(number + 1)), topic=f"t{number}")
    found = await first[1].stats()
    wanted = {"sessions": 5, "messages": 15, "topics": 5, "topic_events": 15}
    assert {name: found[name] for name in wanted} == wanted


async def test_a_store_that_is_well_has_no_problems(first: Served) -> None:
    """Everything is looked at, and nothing is wrong; giving space back changes nothing of that."""
    await fill(first[0])
    assert await first[1].problems() == []
    before = without_cursors(await first[1].export())
    async for response in first[1].calls.VacuumStore(pb.VacuumStoreRequest()):
        last = response
    assert last.left_bytes == 0
    assert without_cursors(await first[1].export()) == before
