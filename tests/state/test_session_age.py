"""How long a conversation lives that nobody uses."""

from __future__ import annotations

import asyncio

import pytest

from penstock.state.settings import StateSettings
from penstock.v1 import session_pb2 as pb
from penstock.v1.run_pb2 import RunState
from tests.state import entries as e
from tests.state.house import House, open_house
from tests.state.in_time import Pace, in_time

TTL = 0.4


@pytest.fixture
def settings(url: str) -> StateSettings:
    """Sessions are forgotten soon, and only the tests sweep."""
    return StateSettings(url=url, session_ttl=TTL, sweep_seconds=3600)


async def append(house: House, *ids: str, **more: object) -> pb.AppendMessagesResponse:
    request = pb.AppendMessagesRequest(
        tenant=e.TENANT,
        session_id="s",
        messages=[e.message(message_id) for message_id in ids],
        **more,  # type: ignore[arg-type] # passed through
    )
    return await house.sessions.AppendMessages(request)


async def update(house: House, text: str, **expected: int) -> pb.UpdateSessionResponse:
    return await house.sessions.UpdateSession(
        pb.UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json=text, **expected)
    )


async def read(house: House) -> pb.Session | None:
    response = await house.sessions.ReadSession(pb.ReadSessionRequest(tenant=e.TENANT, session_id="s"))
    return response.session if response.HasField("session") else None


async def drop(house: House) -> pb.DropOutcome:
    return (await house.sessions.DropSession(pb.DropSessionRequest(tenant=e.TENANT, session_id="s"))).outcome


async def expired(house: House) -> None:
    """Waits for a session with free data to expire, by asking in a way that is no use of it."""
    async with asyncio.timeout(5):
        while (await update(house, "", expected_version=1)).version:  # noqa: ASYNC110 - time itself is waited for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("swept", [False, True], ids=["before the sweep", "after the sweep"])
async def test_an_expired_session_is_as_one_that_never_was(house: House, swept: bool) -> None:
    """No reader, no condition and no delete finds it; the next message makes a new one, from index 0 on."""

    async def forgotten(pace: Pace, number: int) -> None:
        await drop(house)
        await append(house, "a", "b")
        old = await update(house, "[1]")
        await expired(house)
        if swept:
            while await house.layer.store.sweep():
                pass
        assert await read(house) is None
        page = await house.sessions.ReadMessages(pb.ReadMessagesRequest(tenant=e.TENANT, session_id="s"))
        assert not page.messages
        assert await drop(house) == pb.DropOutcome.DROP_OUTCOME_NOT_FOUND
        assert not (await append(house, "x", expected_index=2)).applied
        pace.step()
        assert list((await append(house, "b")).indexes) == [0]
        pace.step()
        session = await read(house)
        assert session is not None
        assert (session.next_index, session.data_json, session.data_version) == (1, "", 0)
        assert not (await update(house, "2", expected_version=old.version)).applied
        assert (await update(house, "2", expected_version=0)).version > old.version

    await in_time(TTL, forgotten)


@pytest.mark.parametrize("use", ["append", "update", "read", "messages"])
async def test_a_session_lives_as_long_as_it_is_used(house: House, use: str) -> None:
    """Each use gives it its whole time again; reading is a use."""

    async def used(pace: Pace, number: int) -> None:
        await drop(house)
        pace.step()
        await append(house, "a")
        await update(house, "[1]")
        loop = asyncio.get_running_loop()
        until = loop.time() + 1.5 * TTL
        while loop.time() < until:
            await asyncio.sleep(TTL / 6)  # use after use: time itself is what the session lives by
            pace.step()
            match use:
                case "append":
                    await append(house, f"m{loop.time()}")
                case "update":
                    assert (await update(house, "[2]")).applied
                case "read":
                    assert await read(house) is not None
                case _:
                    await house.sessions.ReadMessages(pb.ReadMessagesRequest(tenant=e.TENANT, session_id="s"))
        pace.step()
        session = await read(house)
        assert session is not None
        assert session.data_version

    await in_time(TTL, used)


async def test_a_run_that_goes_on_holds_its_session(house: House) -> None:
    """However long it takes, and through sweeps; the session's time begins anew with the run's end."""
    await e.lease(house)

    async def held(pace: Pace, number: int) -> None:
        run = f"run-{number}"
        await drop(house)
        pace.step()
        old = (await update(house, "[1]")).version
        pace.step()
        await e.record(house, e.record_entry(run, session="s"))
        pace.rest()
        try:
            await asyncio.sleep(1.2 * TTL)  # nobody uses the session, and there is no event in that
            await house.layer.store.sweep()
            assert (await update(house, "", expected_version=1)).version == old
            await asyncio.sleep(1.2 * TTL)  # as before
            assert (await update(house, "", expected_version=1)).version == old
        finally:
            pace.step()
            await e.append_as_owner(house, run, e.run_finished(RunState.RUN_STATE_FAILED))
        pace.step()
        assert (await update(house, "", expected_version=1)).version == old
        pace.rest()
        await expired(house)
        assert await read(house) is None

    await in_time(TTL, held)


async def test_no_version_of_free_data_comes_twice(house: House) -> None:
    """Deleted and made anew many times within a moment, the session's data never has an old version."""
    seen = [0]
    for _ in range(10):
        answer = await update(house, "{}", expected_version=0)
        assert answer.applied
        seen.append(answer.version)
        assert await drop(house) == pb.DropOutcome.DROP_OUTCOME_DROPPED
    assert seen == sorted(set(seen))


async def test_without_a_time_sessions_live_for_ever(url: str) -> None:
    """0 means never."""
    async with open_house(StateSettings(url=url, session_ttl=0, sweep_seconds=3600)) as house:
        await append(house, "a")
        await house.layer.store.sweep()
        assert await read(house) is not None
