"""Importing into a store that has something: nothing that is there is overwritten."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from penstock.state.settings import StateSettings
from penstock.v1 import state_pb2 as values
from penstock.v1.event_pb2 import PublishRequest, TopicEvent
from penstock.v1.run_pb2 import Content
from penstock.v1.session_pb2 import (
    AppendMessagesRequest,
    ReadMessagesRequest,
    ReadSessionRequest,
    SessionMessage,
    UpdateSessionRequest,
)
from tests.state import entries as e
from tests.state.subscriber import publish
from tests.state.two_stores import Served, fill, first, second, served, without_cursors

__all__ = ["first", "second"]


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


async def test_a_topic_that_has_dropped_all_that_was_imported_does_not_stop_an_import(
    settings: StateSettings, second_url: str
) -> None:
    """An export may be older than what topics keep; what never came in is still missing."""
    async with served(settings, settings.url) as first:
        await fill(first[0])
        records = await first[1].export()
    (topic,) = [record for record in records if record.HasField("topic")]
    (events,) = [record for record in records if record.HasField("topic_events")]
    bounded = replace(settings, max_topic_events=3, sweep_seconds=3600.0)
    async with served(bounded, second_url) as second:
        assert await second[1].take_in(events) == ["CONFLICT"]
        assert await second[1].take_in(topic, events) == ["WRITTEN", "WRITTEN"]
        await publish(second[0].events, *(f"later-{number}" for number in range(4)), tenant="acme", topic="news")
        async with asyncio.timeout(10):
            while await second[0].layer.store.sweep():
                pass
        assert await second[1].take_in(events) == ["PRESENT"]


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
