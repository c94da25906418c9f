"""Sessions that change while they are exported come through whole."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from penstock.state.exporting import export
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1.session_pb2 import AppendMessagesRequest, DropSessionRequest, ReadMessagesRequest, SessionMessage
from tests.state import entries as e
from tests.state.house import House
from tests.state.two_stores import Served, fill, first, second

__all__ = ["first", "second"]


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
