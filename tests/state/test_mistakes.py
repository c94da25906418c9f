"""Mistakes that stores of this kind are known for, each with the test that would find it here."""

from __future__ import annotations

import asyncio
import time

import grpc
import grpc.aio
import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import session_pb2 as sessions
from penstock.v1 import state_pb2 as values
from penstock.v1.run_log_pb2 import RECORD_OUTCOME_STARTED
from penstock.wire.errors import InvalidArgument
from tests.state import entries as e
from tests.state.house import House, error_of, open_house


async def put(house: House, data: bytes = b"v", ttl: float = 0.0, key: str = "k") -> int:
    expiry = values.Expiry(ttl=e.seconds(ttl)) if ttl else None
    request = values.SetValueRequest(tenant=e.TENANT, key=key, data=data, expiry=expiry)
    return (await house.values.SetValue(request)).version


async def get(house: House, key: str = "k") -> values.StoredValue | None:
    response = await house.values.GetValue(values.GetValueRequest(tenant=e.TENANT, key=key))
    return response.value if response.HasField("value") else None


async def swap(house: House, version: int, data: bytes = b"new") -> values.CompareAndSetValueResponse:
    request = values.CompareAndSetValueRequest(tenant=e.TENANT, key="k", data=data, version_is=version)
    return await house.values.CompareAndSetValue(request)


async def gone(house: House) -> None:
    """Waits until the value has expired."""
    async with asyncio.timeout(5):
        while await get(house) is not None:  # noqa: ASYNC110 - time itself is waited for, and sends no event
            await asyncio.sleep(0.005)


async def append(house: House, *ids: str, session: str = "s") -> sessions.AppendMessagesResponse:
    messages = [e.message(message_id) for message_id in ids]
    request = sessions.AppendMessagesRequest(tenant=e.TENANT, session_id=session, messages=messages)
    return await house.sessions.AppendMessages(request)


async def test_a_write_does_not_read_first_and_write_later(house: House) -> None:
    """Of fifty writers at once each has a version of its own, and the value is that of the highest."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(put(house, b"%d" % number)) for number in range(50)]
    versions = {task.result(): b"%d" % number for number, task in enumerate(tasks)}
    assert len(versions) == 50
    value = await get(house)
    assert value is not None
    assert (value.version, value.data) == max(versions.items())


@pytest.mark.parametrize("how", ["deleted", "expired", "deleted before a restart"])
async def test_versions_do_not_start_again(url: str, how: str) -> None:
    """Whatever became of a key, an old version never wins against what came after, nor brings it back."""
    settings = StateSettings(url=url)
    async with open_house(settings) as house:
        old = await put(house, ttl=0.02 if how == "expired" else 0.0)
        if how == "expired":
            await gone(house)
        else:
            await house.values.DeleteValue(values.DeleteValueRequest(tenant=e.TENANT, key="k"))
        assert (await swap(house, old)) == values.CompareAndSetValueResponse(applied=False, version=0)
        assert await get(house) is None
    async with open_house(settings) as house:
        new = await put(house)
        assert new > old
        assert (await swap(house, old)) == values.CompareAndSetValueResponse(applied=False, version=new)


async def test_a_conditional_write_does_not_drop_the_time_to_live(house: House) -> None:
    """Nor the metadata: what the request doesn't speak of stays."""
    version = await put(house, ttl=60.0)
    before = await get(house)
    assert (await swap(house, version)).applied
    after = await get(house)
    assert before is not None
    assert after is not None
    assert after.HasField("expire_time")
    assert after.expire_time == before.expire_time


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", '{"a": []}', "12345678901234567890123", "[9007199254740993]", "1.10", '"\\u00e9"', "[1, {}, []]"],
)
async def test_json_comes_back_to_the_letter(house: House, text: str) -> None:
    """No empty list turns into an object, and no integer is rounded."""
    await put(house, text.encode())
    value = await get(house)
    assert value is not None
    assert value.data == text.encode()
    request = sessions.UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json=text)
    assert (await house.sessions.UpdateSession(request)).applied
    read = await house.sessions.ReadSession(sessions.ReadSessionRequest(tenant=e.TENANT, session_id="s"))
    assert read.session.data_json == text


async def test_reading_what_has_expired_deletes_nothing_fresh(url: str) -> None:
    """Readers and sweeps that meet an expired value while it is written anew leave the new one alone."""
    async with open_house(StateSettings(url=url, sweep_seconds=0.001)) as house:
        for number in range(5):
            await put(house, b"old", ttl=0.01)
            await gone(house)
            fresh = b"fresh %d" % number
            async with asyncio.TaskGroup() as group:
                for _ in range(10):
                    group.create_task(get(house))
                group.create_task(put(house, fresh))
                for _ in range(10):
                    group.create_task(get(house))
                group.create_task(house.layer.store.sweep())
            value = await get(house)
            assert value is not None
            assert value.data == fresh
            await house.values.DeleteValue(values.DeleteValueRequest(tenant=e.TENANT, key="k"))


async def test_no_caller_s_clock_counts(house: House) -> None:
    """Times are the store's, and so is what it reckons with them; those that a caller sends are refused."""
    before = time.time_ns() // 1000
    version = await put(house, ttl=60.0)
    value = await get(house)
    assert value is not None
    updated = value.update_time.ToMicroseconds()
    assert before - 1_000_000 <= updated <= time.time_ns() // 1000 + 1_000_000
    assert value.expire_time.ToMicroseconds() == updated + 60_000_000
    assert version >= updated
    message = e.message("m")
    message.time.FromSeconds(1)
    request = sessions.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[message])
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.sessions.AppendMessages(request)
    assert isinstance(error_of(raised.value), InvalidArgument)


async def test_concurrent_messages_are_all_there(house: House) -> None:
    """Each has a place of its own, and what a caller sent first stands first."""

    async def speak(name: str) -> None:
        for number in range(5):
            await append(house, f"{name}.{number}")

    async with asyncio.TaskGroup() as group:
        for name in "abcdefgh":
            group.create_task(speak(name))
    page = await house.sessions.ReadMessages(sessions.ReadMessagesRequest(tenant=e.TENANT, session_id="s"))
    ids = [message.message_id for message in page.messages]
    assert len(ids) == len(set(ids)) == 40
    for name in "abcdefgh":
        assert [each for each in ids if each.startswith(name)] == [f"{name}.{number}" for number in range(5)]


async def test_a_tool_s_result_never_stands_without_its_call(url: str) -> None:
    """However the limit falls, the oldest message kept is no tool's."""
    user, assistant, tool = (
        sessions.MESSAGE_ROLE_USER,
        sessions.MESSAGE_ROLE_ASSISTANT,
        sessions.MESSAGE_ROLE_TOOL,
    )
    async with open_house(StateSettings(url=url, history_limit=5)) as house:
        for number, role in enumerate([user, assistant, tool, tool, assistant, user, assistant, tool, assistant] * 3):
            message = e.message(f"m{number}")
            message.role = role
            request = sessions.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[message])
            await house.sessions.AppendMessages(request)
            read = sessions.ReadMessagesRequest(tenant=e.TENANT, session_id="s")
            page = (await house.sessions.ReadMessages(read)).messages
            assert page[0].role != tool
            assert len(page) <= 5


async def test_callers_without_a_session_share_none(house: House) -> None:
    """There is no session for everyone: runs without one neither wait for each other nor hear each other's words."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await append(house, "m", session="")
    assert isinstance(error_of(raised.value), InvalidArgument)
    await e.lease(house)
    for run_id in ("run-1", "run-2"):
        assert (await e.record(house, e.record_entry(run_id))).outcome == RECORD_OUTCOME_STARTED
        record = await e.run_record(house, run_id)
        assert (record.history_first_index, record.history_index) == (0, 0)
