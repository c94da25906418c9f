"""Looking a store over: how much there is of everything, and that nothing is wrong."""

from __future__ import annotations

from penstock.v1 import state_admin_pb2 as pb
from penstock.v1.session_pb2 import AppendMessagesRequest
from tests.state import entries as e
from tests.state.subscriber import publish
from tests.state.two_stores import Served, fill, first, without_cursors

__all__ = ["first"]


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
