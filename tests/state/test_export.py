"""Export and import: whatever a store holds comes through as it was, and goes on."""

from __future__ import annotations

from penstock.state.clock import to_timestamp
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1 import state_pb2 as values
from penstock.v1.run_pb2 import Content
from penstock.v1.session_pb2 import ReadSessionRequest
from tests.state import entries as e
from tests.state.subscriber import subscriber
from tests.state.two_stores import Served, fill, first, second, without_cursors

__all__ = ["first", "second"]


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
