"""How long a conversation may grow, and where it is cut."""

from __future__ import annotations

import asyncio

import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import session_pb2 as pb
from penstock.v1.run_log_pb2 import AppendEventsEntry
from penstock.v1.run_pb2 import RunState
from tests.state import entries as e
from tests.state.house import House, open_house

LIMIT = 6
USER, ASSISTANT, TOOL = (
    pb.MessageRole.MESSAGE_ROLE_USER,
    pb.MessageRole.MESSAGE_ROLE_ASSISTANT,
    pb.MessageRole.MESSAGE_ROLE_TOOL,
)


@pytest.fixture
def settings(url: str) -> StateSettings:
    """Few messages are kept."""
    return StateSettings(url=url, history_limit=LIMIT)


def said(message_id: str, role: pb.MessageRole = USER, run: str = "") -> pb.SessionMessage:
    message = e.message(message_id)
    message.role = role
    message.run_id = run
    return message


async def append(house: House, *messages: pb.SessionMessage, **more: object) -> pb.AppendMessagesResponse:
    return await house.sessions.AppendMessages(
        pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=messages, **more)  # type: ignore[arg-type] # passed through
    )


async def kept(house: House) -> list[str]:
    """The ids of the messages, as a reader gets them; the session says the same by its indexes."""
    page = await house.sessions.ReadMessages(pb.ReadMessagesRequest(tenant=e.TENANT, session_id="s", page_size=1000))
    session = (await house.sessions.ReadSession(pb.ReadSessionRequest(tenant=e.TENANT, session_id="s"))).session
    assert [message.index for message in page.messages] == list(range(session.first_index, session.next_index))
    return [message.message_id for message in page.messages]


async def test_the_oldest_messages_go_when_there_are_too_many(house: House) -> None:
    """The indexes of those that stay do not change, and the next one goes on counting."""
    for number in range(20):
        assert list((await append(house, said(f"m{number}"))).indexes) == [number]
    assert await kept(house) == [f"m{number}" for number in range(14, 20)]
    older = await house.sessions.ReadMessages(
        pb.ReadMessagesRequest(tenant=e.TENANT, session_id="s", before_index=16, newest_first=True)
    )
    assert [message.index for message in older.messages] == [15, 14]
    assert not older.more


async def test_messages_of_one_run_are_kept_or_cut_together(house: House) -> None:
    """A question never stays without its answer, nor an answer without its question."""
    for number in range(4):
        await append(house, *[said(f"{number}{part}", run=f"run-{number}") for part in "abc"])
    assert await kept(house) == ["2a", "2b", "2c", "3a", "3b", "3c"]
    await append(house, said("loose"))
    assert await kept(house) == ["3a", "3b", "3c", "loose"]


async def test_a_late_message_of_a_run_belongs_to_its_turn(house: House) -> None:
    """What came between is part of that turn: it stays as long as the turn does, and goes with it."""
    await append(
        house, said("before"), said("q", run="run-1"), said("x"), said("y", run="run-2"), said("a", run="run-1")
    )
    await append(house, said("late", run="run-2"), said("after"))
    assert await kept(house) == ["q", "x", "y", "a", "late", "after"]
    await append(house, said("last"))
    assert await kept(house) == ["after", "last"]


async def test_a_tool_s_result_stays_with_its_call(house: House) -> None:
    """Where the messages name no run, results stick to what stands before them."""
    await append(house, said("old"), said("q"), said("call", ASSISTANT), said("r1", TOOL), said("r2", TOOL))
    await append(house, said("a", ASSISTANT), said("q2"))
    assert await kept(house) == ["q", "call", "r1", "r2", "a", "q2"]
    await append(house, said("a2", ASSISTANT), said("q3"))
    assert await kept(house) == ["a", "q2", "a2", "q3"]


async def test_the_newest_turn_is_whole_however_long_it_is(house: House) -> None:
    """Better too much than half of it; the next turn sets the balance right."""
    await append(house, *[said(f"m{number}") for number in range(4)])
    await append(house, *[said(f"r{number}", run="run-1") for number in range(LIMIT + 3)])
    assert await kept(house) == [f"r{number}" for number in range(LIMIT + 3)]
    await append(house, said("next"))
    assert await kept(house) == ["next"]


async def test_a_cut_message_is_not_appended_again(house: House) -> None:
    """A repeat after a lost answer gets the first indexes, and meets an expected index, also when they were cut."""
    first = await append(house, said("a"), said("b"), expected_index=0)
    await append(house, *[said(f"m{number}") for number in range(10)])
    assert "a" not in await kept(house)
    assert (await append(house, said("a"), said("b"), expected_index=0)).indexes == first.indexes
    mixed = await append(house, said("b"), said("new"))
    assert list(mixed.indexes) == [1, 12]
    assert (await kept(house))[-1] == "new"


async def test_ids_of_cut_messages_are_forgotten_in_the_end(house: House) -> None:
    """A thousand of them are remembered, and no more."""
    for batch in range(12):
        await append(house, *[said(f"m{batch * 100 + number}") for number in range(100)])
    oldest_known = 1200 - LIMIT - 1000
    assert list((await append(house, said(f"m{oldest_known}"))).indexes) == [oldest_known]
    assert list((await append(house, said(f"m{oldest_known - 1}"))).indexes) == [1200]


async def test_what_a_run_at_work_reads_is_not_cut(house: House) -> None:
    """Its history stands until it ends; then the conversation is cut with the same step that says the answer."""
    await append(house, *[said(f"m{number}") for number in range(LIMIT)])
    await e.lease(house)
    entry = e.record_entry("run-1", session="s")
    entry.session_messages[0].run_id = "run-1"
    await e.record(house, entry)
    record = await e.run_record(house, "run-1")
    assert (record.history_first_index, record.history_index) == (0, LIMIT)
    await append(house, *[said(f"x{number}") for number in range(3)])
    assert (await kept(house))[:LIMIT] == [f"m{number}" for number in range(LIMIT)]
    end = e.append_entry("run-1", e.step_finished(), e.run_finished(output_step="main"))
    end.session_messages.append(said("run-1:answer", ASSISTANT, "run-1"))
    await e.append(house, end)
    assert await kept(house) == ["m5", "run-1:user", "x0", "x1", "x2", "run-1:answer"]


async def test_a_queued_run_has_no_history_to_hold(house: House) -> None:
    """Only the one at work reads; the next one reads what is there when its turn comes."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    await e.record(house, e.record_entry("run-2", session="s", owner=""))
    end: AppendEventsEntry = e.append_entry("run-1", e.run_finished(RunState.RUN_STATE_FAILED), step="", writer="owner")
    end.session_messages.extend(said(f"m{number}") for number in range(LIMIT))
    await e.append(house, end)
    assert await kept(house) == [f"m{number}" for number in range(LIMIT)]
    claimed = (await e.claim(house)).runs[0].record
    assert (claimed.history_first_index, claimed.history_index) == (1, LIMIT + 1)


async def test_a_page_that_is_read_while_the_history_is_cut_has_no_hole(url: str) -> None:
    """At whichever moment a long turn goes, what is read is one piece."""
    async with open_house(StateSettings(url=url, history_limit=40)) as house:
        for moment in range(40):
            session = f"s{moment}"
            messages = [
                *(said(f"t{number}", run="run-1") for number in range(30)),
                *(said(f"m{number}") for number in range(10)),
            ]
            await house.sessions.AppendMessages(
                pb.AppendMessagesRequest(tenant=e.TENANT, session_id=session, messages=messages)
            )
            page, _ = await asyncio.gather(
                house.sessions.ReadMessages(pb.ReadMessagesRequest(tenant=e.TENANT, session_id=session)),
                _append_later(house, session, moment),
            )
            indexes = [message.index for message in page.messages]
            assert indexes == list(range(indexes[0], indexes[0] + len(indexes)))
            assert indexes[0] in (0, 30)


async def _append_later(house: House, session: str, turns: int) -> None:
    """Appends a message after so many turns of the event loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    request = pb.AppendMessagesRequest(tenant=e.TENANT, session_id=session, messages=[said("last")])
    await house.sessions.AppendMessages(request)


async def test_a_smaller_limit_holds_from_the_next_message_on(url: str) -> None:
    """However much there is to cut: nobody reads beyond the limit from then on."""
    async with open_house(StateSettings(url=url, history_limit=1000)) as house:
        await append(house, *[said(f"m{number}") for number in range(700)])
        assert len(await kept(house)) == 700
    async with open_house(StateSettings(url=url, history_limit=LIMIT)) as house:
        await append(house, said("new"))
        assert await kept(house) == [f"m{number}" for number in range(695, 700)] + ["new"]
        assert list((await append(house, said("m3"))).indexes) == [3]
