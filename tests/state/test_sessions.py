"""Conversations."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest

from penstock.v1 import session_pb2 as pb
from penstock.v1.run_pb2 import RunState
from penstock.wire.errors import InvalidArgument
from tests.state import entries as e
from tests.state.house import House, error_of


async def append(house: House, *ids: str, session: str = "s", **more: object) -> pb.AppendMessagesResponse:
    messages = [e.message(message_id) for message_id in ids]
    return await house.sessions.AppendMessages(
        pb.AppendMessagesRequest(tenant=e.TENANT, session_id=session, messages=messages, **more)  # type: ignore[arg-type] # passed through
    )


async def read(house: House, session: str = "s", **more: object) -> pb.ReadMessagesResponse:
    request = pb.ReadMessagesRequest(tenant=e.TENANT, session_id=session, **more)  # type: ignore[arg-type] # passed through
    return await house.sessions.ReadMessages(request)


async def test_messages_are_indexed_in_order(house: House) -> None:
    """The session is made by its first message, which has index 0."""
    assert list((await append(house, "a", "b")).indexes) == [0, 1]
    assert (await append(house, "c")).next_index == 3
    messages = (await read(house)).messages
    assert [(message.message_id, message.index) for message in messages] == [("a", 0), ("b", 1), ("c", 2)]
    assert all(message.HasField("time") for message in messages)
    response = await house.sessions.ReadSession(pb.ReadSessionRequest(tenant=e.TENANT, session_id="s"))
    assert (response.session.first_index, response.session.next_index) == (0, 3)


async def test_a_repeat_appends_only_what_is_missing(house: House) -> None:
    """Each message has one place, however often it is sent."""
    await append(house, "a", "b")
    response = await append(house, "b", "c", "a")
    assert list(response.indexes) == [1, 2, 0]
    assert len((await read(house)).messages) == 3


async def test_concurrent_appends_lose_no_message(house: House) -> None:
    """Fifty at once get fifty places."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(append(house, f"m{number}")) for number in range(50)]
    assert sorted(index for task in tasks for index in task.result().indexes) == list(range(50))


async def test_an_expected_index_is_a_condition_that_a_repeat_meets(house: House) -> None:
    """0 means the first message; all that are there already are answered as the first time."""
    assert (await append(house, "a", "b", expected_index=0)).applied
    assert (await append(house, "a", "b", expected_index=0)).applied
    lost = await append(house, "a", "c", expected_index=0)
    assert (lost.applied, lost.next_index, list(lost.indexes)) == (False, 2, [])
    assert not (await append(house, "x", session="new", expected_index=1)).applied
    response = await house.sessions.ReadSession(pb.ReadSessionRequest(tenant=e.TENANT, session_id="new"))
    assert not response.HasField("session")


async def test_messages_are_read_by_range_from_either_end(house: House) -> None:
    """`more` says whether the range holds others."""
    await append(house, *"abcdef")

    def ids(response: pb.ReadMessagesResponse) -> tuple[str, bool]:
        return "".join(message.message_id for message in response.messages), response.more

    assert ids(await read(house, page_size=4)) == ("abcd", True)
    assert ids(await read(house, from_index=4)) == ("ef", False)
    assert ids(await read(house, before_index=2)) == ("ab", False)
    assert ids(await read(house, before_index=0)) == ("", False)
    assert ids(await read(house, newest_first=True, page_size=2)) == ("fe", True)
    assert ids(await read(house, newest_first=True, before_index=3)) == ("cba", False)
    assert ids(await read(house, session="none")) == ("", False)


async def test_a_page_of_messages_stops_at_its_size(house: House) -> None:
    """About 1 MiB, and at least one."""
    for number in range(3):
        big = e.message(f"m{number}", "x" * 700_000)
        await house.sessions.AppendMessages(pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[big]))
    response = await read(house)
    assert (len(response.messages), response.more) == (1, True)


async def test_free_data_changes_by_version(house: House) -> None:
    """0 expects data never written; a stale version loses, also after the session was deleted and made again."""

    async def update(text: str, **expected: int) -> pb.UpdateSessionResponse:
        return await house.sessions.UpdateSession(
            pb.UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json=text, **expected)
        )

    first = await update("[]", expected_version=0)
    assert first.applied
    assert not (await update("{}", expected_version=0)).applied
    second = await update('{"n": 12345678901234567890}', expected_version=first.version)
    assert second.version > first.version
    response = await house.sessions.ReadSession(pb.ReadSessionRequest(tenant=e.TENANT, session_id="s"))
    assert response.session.data_json == '{"n": 12345678901234567890}'
    await house.sessions.DropSession(pb.DropSessionRequest(tenant=e.TENANT, session_id="s"))
    assert not (await update("1", expected_version=second.version)).applied
    assert (await update("1")).version > second.version


@pytest.mark.parametrize("text", ["{", '{"n": NaN}', '"\\ud800"', "[" * 100_000])
async def test_free_data_that_is_not_json_is_refused(house: House, text: str) -> None:
    """Also what only Python's own reader takes for JSON, and no other does."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.sessions.UpdateSession(pb.UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json=text))
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["data_json"]


async def test_a_session_with_a_run_is_not_dropped(house: House) -> None:
    """BUSY changes nothing; after the run's end it goes with all its messages."""

    async def drop() -> pb.DropOutcome:
        response = await house.sessions.DropSession(pb.DropSessionRequest(tenant=e.TENANT, session_id="s"))
        return response.outcome

    assert await drop() == pb.DropOutcome.DROP_OUTCOME_NOT_FOUND
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    assert await drop() == pb.DropOutcome.DROP_OUTCOME_BUSY
    assert len((await read(house)).messages) == 1
    await e.append_as_owner(house, "run-1", e.run_finished(RunState.RUN_STATE_FAILED))
    assert await drop() == pb.DropOutcome.DROP_OUTCOME_DROPPED
    assert not (await read(house)).messages
    assert list((await append(house, "a")).indexes) == [0]


async def test_tenants_share_no_session(house: House) -> None:
    """The same name is another conversation for every tenant."""
    await append(house, "a")
    response = await house.sessions.ReadMessages(pb.ReadMessagesRequest(tenant="other", session_id="s"))
    assert not response.messages


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (pb.SessionMessage(), "messages[0].message_id"),
        (pb.SessionMessage(message_id="m" * 257), "messages[0].message_id"),
        (pb.SessionMessage(message_id="m", index=3), "messages[0]"),
        (e.message("m", "x" * (1024 * 1024 + 9000)), "messages[0]"),
    ],
    ids=["no id", "long id", "index", "size"],
)
async def test_a_malformed_message_names_its_field(house: House, message: pb.SessionMessage, field: str) -> None:
    """All or none: the good message beside it isn't stored."""
    request = pb.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[message, e.message("good")])
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.sessions.AppendMessages(request)
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [field]
    assert not (await read(house)).messages
