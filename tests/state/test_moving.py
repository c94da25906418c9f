"""Moving from one kind of store to another, and into one that is at work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from penstock.state.settings import StateSettings
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_pb2 import RunState
from penstock.v1.session_pb2 import (
    MESSAGE_ROLE_ASSISTANT,
    MESSAGE_ROLE_TOOL,
    MESSAGE_ROLE_USER,
    AppendMessagesRequest,
    ReadMessagesRequest,
    SessionMessage,
    UpdateSessionRequest,
)
from tests.state import entries as e
from tests.state.admin import administered
from tests.state.house import House, open_house
from tests.state.two_stores import fill, served, without_cursors


def said(records: Sequence[pb.StoreRecord]) -> list[bytes]:
    """What records say, whatever their order: each kind of store has its own for what has none by itself."""
    return sorted(record.SerializeToString(deterministic=True) for record in without_cursors(records))


async def test_whatever_the_kinds_of_the_stores_all_comes_through(settings: StateSettings, tmp_path: Path) -> None:
    """From this store into a file, and from that file into a store like this."""
    async with (
        served(settings, settings.url) as (house, admin),
        served(settings, f"sqlite:///{tmp_path}/between.db") as (between, between_admin),
    ):
        await fill(house)
        await e.record(house, e.record_entry("late", labels={"a": "b"}))
        await e.append_events(house, "late", *[e.token("x" * 30_000) for _ in range(10)])
        records = await admin.export()
        assert "CONFLICT" not in await between_admin.take_in(*records)
        again = await between_admin.export()
        assert said(again) == said(records)
        assert await between_admin.problems() == []
        assert set(await between_admin.take_in(*records)) == {"PRESENT"}
        for run in ("ended", "going", "late"):
            assert await e.read_log(between, run) == await e.read_log(house, run)


async def test_what_comes_from_a_file_is_whole_here(settings: StateSettings, second_url: str, tmp_path: Path) -> None:
    """The same the other way, twice over: what was moved there and back is what it was."""
    async with (
        served(settings, f"sqlite:///{tmp_path}/from.db") as (file, file_admin),
        served(settings, settings.url) as (house, admin),
        served(settings, second_url) as (_, second_admin),
    ):
        await fill(file)
        records = await file_admin.export()
        assert "CONFLICT" not in await admin.take_in(*records)
        assert said(await admin.export()) == said(records)
        assert await admin.problems() == []
        await second_admin.take_in(*await admin.export())
        assert said(await second_admin.export()) == said(records)
        assert set(await admin.take_in(*records)) == {"PRESENT"}
        for run in ("ended", "going"):
            assert await e.read_log(house, run) == await e.read_log(file, run)


async def test_runs_come_into_a_session_that_is_at_work(settings: StateSettings, second_url: str) -> None:
    """While its run goes on and speaks, runs that ended or wait come in beside it, and nothing of either is lost."""
    async with (
        served(settings, second_url) as (old, old_admin),
        served(settings, settings.url) as (house, admin),
    ):
        await e.lease(old)
        for number in range(5):
            await e.record(old, e.record_entry(f"ended-{number}", session="s"))
            await e.append_events(old, f"ended-{number}", *[e.token("old")] * 20)
            await e.append_events(old, f"ended-{number}", e.step_finished(), e.run_finished(output_step="main"))
        await e.record(old, e.record_entry("waiting", session="s", owner=""))
        await e.record(old, e.record_entry("waiting-too", session="s", owner=""))
        records = [record for record in await old_admin.export() if record.HasField("events") or record.HasField("run")]
        await e.lease(house)
        await e.record(house, e.record_entry("live", session="s"))

        async def speak() -> None:
            for number in range(100):
                await e.append_events(house, "live", e.token(f"t{number}"), number=number + 1)
                message = e.message(f"m{number}")
                request = AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[message])
                await house.sessions.AppendMessages(request)

        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            speaking = group.create_task(speak())
            outcomes = [await admin.take_in(record) for record in records]
            await speaking
        assert outcomes == [["WRITTEN"]] * len(records)
        live = await e.read_log(house, "live")
        assert [event.token.text for event in live if event.HasField("token")] == [
            f"t{number}" for number in range(100)
        ]
        for number in range(5):
            assert await e.read_log(house, f"ended-{number}") == await e.read_log(old, f"ended-{number}")
        read = ReadMessagesRequest(tenant=e.TENANT, session_id="s", page_size=1000)
        messages = (await house.sessions.ReadMessages(read)).messages
        assert [message.message_id for message in messages][-99:] == [f"m{number}" for number in range(1, 100)]
        assert await admin.problems() == []
        # Those that wait come behind who was at work, in the order in which they were made.
        for run in ("waiting", "waiting-too"):
            assert not (await e.claim(house)).runs
            await e.append_as_owner(house, "live" if run == "waiting" else "waiting", failed())
            assert [one.record.run.run_id for one in (await e.claim(house)).runs] == [run]


def failed() -> RunEvent:
    """The end of a run."""
    return e.run_finished(RunState.RUN_STATE_FAILED)


async def test_a_conversation_goes_on_after_a_move_as_it_would_have_where_it_was(
    settings: StateSettings, second_url: str
) -> None:
    """It is cut at the same turns, a repeated message is known, and its data get a newer version."""
    small = replace(settings, history_limit=6)
    async with served(small, second_url) as (old, old_admin):
        turns = [message("q1"), message("a1", "run-1"), message("tool", "run-1"), message("q2"), message("a2", "run-2")]
        await say(old, *turns)
        update = UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json="1")
        version = (await old.sessions.UpdateSession(update)).version
        records = await old_admin.export()
    async with served(small, settings.url) as (_, admin):
        await admin.take_in(*records)
    # Anew, so that nothing is known but what was stored.
    async with served(small, second_url) as (old, _), served(small, settings.url) as (house, admin):
        for each in (old, house):
            await say(each, message("tool", "run-1"), message("q3"), message("a3", "run-3"), message("q4"))
        read = ReadMessagesRequest(tenant=e.TENANT, session_id="s", page_size=1000)
        found = [(await each.sessions.ReadMessages(read)).messages for each in (old, house)]
        assert [[(one.index, one.message_id) for one in messages] for messages in found] == [
            [(3, "q2"), (4, "a2"), (5, "q3"), (6, "a3"), (7, "q4")]
        ] * 2
        assert (await house.sessions.UpdateSession(update)).version > version
        assert await admin.problems() == []


def message(message_id: str, run_id: str = "") -> SessionMessage:
    """A message, perhaps of a run; one that is called so is a tool's."""
    made = e.message(message_id)
    made.run_id = run_id
    made.role = MESSAGE_ROLE_TOOL if message_id == "tool" else MESSAGE_ROLE_ASSISTANT if run_id else MESSAGE_ROLE_USER
    return made


async def say(house: House, *messages: SessionMessage) -> None:
    """Appends messages, each by itself."""
    for one in messages:
        request = AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[one])
        await house.sessions.AppendMessages(request)


async def test_two_imports_of_one_export_make_each_record_once(settings: StateSettings, second_url: str) -> None:
    """However they overlap, what both bring is there once and whole, and who then asks again finds all of it."""
    async with served(settings, second_url) as (old, old_admin), served(settings, settings.url) as (_, admin):
        await fill(old)
        records = await old_admin.export()

        async def take_all() -> None:
            for record in records:
                await admin.take_in(record)

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(take_all())
            group.create_task(take_all())
        # What met the other halfway is named as a conflict, and is done again, as an operator does.
        await take_all()
        assert set(await admin.take_in(*records)) == {"PRESENT"}
        assert said(await admin.export()) == said(records)
        assert await admin.problems() == []


async def test_logs_of_runs_that_ended_elsewhere_are_trimmed_too(url: str, second_url: str) -> None:
    """They may have ended before those whose logs were trimmed here already, by size and by age."""

    def bounded(where: str) -> StateSettings:
        return StateSettings(
            url=where, max_finished_log_bytes=30_000, sweep_seconds=3600.0, log_retention=0.0, lifecycle_topic=""
        )

    async with open_house(bounded(second_url)) as old:
        await e.lease(old)
        for run in ("old-0", "old-1"):
            await talk(old, run)
        async with administered(old.layer) as admin:
            records = await admin.export()
    async with open_house(bounded(url)) as house, administered(house.layer) as admin:
        await e.lease(house)
        for number in range(4):
            await talk(house, f"new-{number}")
        await sweep(house)
        assert [await kept(house, f"new-{number}") for number in range(4)] == [2, 2, 24, 24]
        assert "CONFLICT" not in await admin.take_in(*records)
        assert [await kept(house, run) for run in ("old-0", "old-1")] == [24, 24]
        await sweep(house)
        assert [await kept(house, run) for run in ("old-0", "old-1")] == [2, 2]
        assert [await kept(house, f"new-{number}") for number in range(4)] == [2, 2, 24, 24]
        assert await admin.problems() == []


async def talk(house: House, run: str) -> None:
    """Records a run that says 10,000 bytes, and ends it."""
    await e.record(house, e.record_entry(run))
    for _ in range(20):
        await e.append_events(house, run, e.token("x" * 500))
    await e.append_events(house, run, e.step_finished(), e.run_finished(output_step="main"))


async def sweep(house: House) -> None:
    """Sweeps until there is no more to do."""
    async with asyncio.timeout(20):
        while await house.layer.store.sweep():
            pass


async def kept(house: House, run: str) -> int:
    """How many events are kept of a run."""
    log = await house.layer.store.runs.open_log(e.TENANT, run)
    assert log is not None
    state = await log.state()
    return state.last_sequence - state.first_sequence + 1
