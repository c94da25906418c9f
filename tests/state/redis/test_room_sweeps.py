"""What time takes from rooms: nothing stays, nothing is taken twice, and names that come again find nothing old."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from penstock.state.clock import LARGEST_STEP_US
from penstock.state.redis.removal import remove
from penstock.state.redis.replica import confirm_runs
from penstock.state.redis.room_keys import room_key
from penstock.state.redis.room_pointer import point, pointed_us, unpoint
from penstock.state.redis.room_state import META, SessionMeta
from penstock.state.redis.session_history import SessionHistory
from penstock.v1 import run_log_pb2 as pb
from penstock.v1 import session_pb2
from penstock.v1.run_pb2 import RunState
from penstock.wire.errors import NotFound
from tests.state import entries as e
from tests.state.house import House
from tests.state.redis.at_hand import AT_ONCE, AtHand, at_hand, sweep, to_its_end
from tests.state.redis.links import linked

__all__ = ["at_hand"]


async def update(house: House, expected: int) -> session_pb2.UpdateSessionResponse:
    return await house.sessions.UpdateSession(
        session_pb2.UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json="[1]", expected_version=expected)
    )


async def append(house: House, message_id: str) -> None:
    await house.sessions.AppendMessages(
        session_pb2.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[e.message(message_id)])
    )


def be_due(at_hand: AtHand) -> None:
    """Has the time come at which the session is looked at."""
    at_hand.do("ZADD", at_hand.indexes.unused, 1, f"{e.TENANT}\0s")


def have_a_day_passed(at_hand: AtHand) -> None:
    """Has the session be gone for so long that it need not be remembered."""
    room = room_key(at_hand.session())
    meta = SessionMeta.unpack(at_hand.do("HGET", room, META))
    assert meta.gone_us
    at_hand.do("HSET", room, META, replace(meta, gone_us=meta.gone_us - LARGEST_STEP_US).pack(), "v", 1)
    be_due(at_hand)


async def test_of_a_session_that_expired_only_its_version_is_remembered_for_a_day(at_hand: AtHand) -> None:
    """Then nothing of it is left, not even its room."""
    async with at_hand.process(session_ttl=AT_ONCE) as house:
        async with at_hand.process(session_ttl=0.0) as other:
            await append(other, "a")
            version = (await update(other, 0)).version
            assert len(at_hand.left()) == 5
            await append(house, "b")  # a session that has expired is made anew
        await sweep(house)
        assert at_hand.left() == {room_key(at_hand.session()).split(b":", 2)[2]}
        room = room_key(at_hand.session())
        meta = SessionMeta.unpack(at_hand.do("HGET", room, META))
        assert meta.gone_us
        assert meta.version_before == version
        have_a_day_passed(at_hand)
        await sweep(house)
        assert at_hand.left() == set()
        assert (await update(house, 0)).version > version


async def test_a_dropped_session_s_version_is_forgotten_after_a_day_where_none_expires(at_hand: AtHand) -> None:
    """Without a time to live, too."""
    async with at_hand.process(session_ttl=0.0) as house:
        await update(house, 0)
        await house.sessions.DropSession(session_pb2.DropSessionRequest(tenant=e.TENANT, session_id="s"))
        assert at_hand.do("ZSCORE", at_hand.indexes.unused, f"{e.TENANT}\0s") > LARGEST_STEP_US
        have_a_day_passed(at_hand)
        await sweep(house)
        assert at_hand.left() == set()
        assert at_hand.do("ZCARD", at_hand.indexes.unused) == 0


async def test_a_message_that_comes_with_the_sweep_of_its_old_session_stays(at_hand: AtHand) -> None:
    """Both go into one commit."""
    async with at_hand.process(session_ttl=0.0) as house:
        await append(house, "a")
        await house.sessions.DropSession(session_pb2.DropSessionRequest(tenant=e.TENANT, session_id="s"))
        have_a_day_passed(at_hand)
        async with at_hand.rooms() as rooms:
            history = SessionHistory(at_hand.settings, at_hand.indexes.unused)
            room = rooms.of_session(e.TENANT, "s")
            await asyncio.gather(
                room.submit(history.expire), room.submit(lambda step: history.append(step, [e.message("b")]))
            )
        page = await house.sessions.ReadMessages(session_pb2.ReadMessagesRequest(tenant=e.TENANT, session_id="s"))
        assert [(message.index, message.message_id) for message in page.messages] == [(0, "b")]


async def test_a_room_goes_when_its_session_and_its_last_run_go_together(at_hand: AtHand) -> None:
    """In one commit, in which each finds the other gone."""
    async with at_hand.process(session_ttl=0.0) as house:
        await e.lease(house)
        await to_its_end(house, "run-1", "s")
        await house.sessions.DropSession(session_pb2.DropSessionRequest(tenant=e.TENANT, session_id="s"))
        have_a_day_passed(at_hand)
        async with at_hand.rooms() as rooms:
            history = SessionHistory(at_hand.settings, at_hand.indexes.unused)
            room = rooms.of_session(e.TENANT, "s")
            await asyncio.gather(
                room.submit(partial(remove, "run-1", at_hand.indexes, 1 << 60)), room.submit(history.expire)
            )
        assert not at_hand.do("EXISTS", room_key(at_hand.session()))


async def test_who_asks_for_the_confirmation_of_a_lost_run_leaves_nothing(at_hand: AtHand) -> None:
    """A failover may have taken a run for which a process still waits to hear from the replicas."""
    async with at_hand.rooms() as rooms:
        room = rooms.own_of(e.TENANT, "lost")
        await room.submit(partial(confirm_runs, ["lost"]))
    assert at_hand.left() == set()


async def test_nothing_at_all_is_left_of_runs_that_were_removed(at_hand: AtHand) -> None:
    """Neither of those in a session, nor of others; the session's room goes when its last run does."""
    async with at_hand.process(session_ttl=0.0) as house:
        await e.lease(house)
        for run_id, session in (("run-1", ""), ("run-2", "s"), ("run-3", "s")):
            await to_its_end(house, run_id, session)
        await e.record(house, e.record_entry("run-4", owner="", labels={"kind": "talk"}))
        await e.cancel(house, "run-4")
    async with at_hand.process(session_ttl=AT_ONCE, run_retention=AT_ONCE) as house:
        be_due(at_hand)
        await sweep(house)
        have_a_day_passed(at_hand)
        for run_id in ("run-2", "run-3"):
            at_hand.age_pointer(run_id)
        await sweep(house)
        assert at_hand.left() == set()
        assert not at_hand.do("EXISTS", at_hand.indexes.to_remove)
        assert at_hand.do("GET", at_hand.indexes.counted_bytes) == b"0"


async def test_a_session_s_room_goes_with_its_last_run_when_the_session_went_before(at_hand: AtHand) -> None:
    """Also when many runs of it are removed together."""
    async with at_hand.process(session_ttl=0.0) as house:
        await e.lease(house)
        for number in range(5):
            await to_its_end(house, f"run-{number}", "s")
        await house.sessions.DropSession(session_pb2.DropSessionRequest(tenant=e.TENANT, session_id="s"))
        have_a_day_passed(at_hand)
        await sweep(house)
        assert at_hand.do("EXISTS", room_key(at_hand.session()))
    async with at_hand.process(run_retention=AT_ONCE) as house:
        await sweep(house)
        assert not at_hand.do("EXISTS", room_key(at_hand.session()))


async def test_a_name_that_is_used_again_leads_to_the_new_run_in_every_process(at_hand: AtHand) -> None:
    """Also where the old one was known, and though the new one is in another session."""
    async with at_hand.process() as other, at_hand.process(run_retention=AT_ONCE) as house:
        await e.lease(house)
        await to_its_end(house, "run-1", "old")
        before = await e.run_record(other, "run-1")
        old = await other.layer.store.runs.open_log(e.TENANT, "run-1")
        assert old is not None
        await sweep(house)
        at_hand.age_pointer("run-1")
        await sweep(house)
        entry = e.record_entry("run-1", session="new", text="something else")
        assert (await e.record(house, entry)).outcome == pb.RECORD_OUTCOME_STARTED
        result = await e.append_events(other, "run-1", e.token("from the other process"))
        assert (result.outcome, result.first_sequence) == (pb.APPEND_OUTCOME_APPENDED, 3)
        after = await e.run_record(other, "run-1")
        assert after.run.session_id == "new"
        assert after.run.generation >= before.run.generation
        assert len(await e.read_log(other, "run-1")) == 3
        with pytest.raises(NotFound):
            await old.state()


async def test_who_looks_for_a_run_where_it_was_once_finds_it_where_it_is(at_hand: AtHand) -> None:
    """The news of its removal may be lost, or be late."""
    async with at_hand.process() as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1", session="new"))
        async with at_hand.rooms() as rooms:
            rooms.note_place(e.TENANT, "run-1", rooms.of_session(e.TENANT, "old"))
            runs = await asyncio.gather(
                *(rooms.submit(e.TENANT, "run-1", lambda step: step.run("run-1")) for _ in range(3))
            )
            assert [run.head.session_id for run in runs if run is not None] == ["new"] * 3
            rooms.note_place(e.TENANT, "run-2", rooms.of_session(e.TENANT, "old"))
            assert await rooms.submit(e.TENANT, "run-2", lambda step: step.run("run-2")) is None


async def test_a_run_s_name_leads_to_its_session_while_it_may_be_recorded_there(at_hand: AtHand) -> None:
    """Somebody may have looked where it is and be about to record it anew; after a minute nobody is."""
    async with at_hand.process(run_retention=AT_ONCE) as house:
        await e.lease(house)
        await to_its_end(house, "run-1", "s")
        await sweep(house)
        own = room_key(at_hand.run("run-1"))
        assert at_hand.do("EXISTS", own)
        assert (await e.record(house, e.record_entry("run-1", session="s"))).outcome == pb.RECORD_OUTCOME_STARTED
        at_hand.age_pointer("run-1")
        await sweep(house)
        assert (await e.run_record(house, "run-1")).run.state == RunState.RUN_STATE_RUNNING
        await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
        at_hand.age_pointer("run-1")
        await sweep(house)
        assert not at_hand.do("EXISTS", own)


async def test_a_pointer_is_not_taken_away_when_somebody_has_pointed_since(at_hand: AtHand) -> None:
    """However long ago it had been before."""
    async with linked(at_hand.url) as link:
        own = at_hand.run("run-1")
        await point(link, e.TENANT, "run-1", "s", replicate=False)
        at_hand.do("HSET", room_key(own), "v", 1)
        seen = await pointed_us(link, own)
        await point(link, e.TENANT, "run-1", "s", replicate=False)
        await unpoint(link, own, seen)
        assert await pointed_us(link, own) > seen
        await unpoint(link, own, await pointed_us(link, own))
        assert not at_hand.do("EXISTS", room_key(own))


async def test_what_was_announced_and_never_happened_goes_without_harm(at_hand: AtHand) -> None:
    """The entry of an end whose commit failed leads to a run that goes on, and to none at all."""
    everything = {"session_ttl": 0.0, "log_retention": AT_ONCE, "run_retention": AT_ONCE}
    async with at_hand.process(**everything) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        await e.append_events(house, "run-1", e.token())
        for run_id in ("run-1", "never"):
            place = f"{e.TENANT}\0{run_id}\0"
            at_hand.do("ZADD", at_hand.indexes.to_trim, 1, f"{place}\x0050")
            at_hand.do("ZADD", at_hand.indexes.to_remove, 1, place)
        at_hand.do("ZADD", at_hand.indexes.unused, 1, f"{e.TENANT}\0never")
        await sweep(house)
        for key in (at_hand.indexes.counted, at_hand.indexes.to_remove, at_hand.indexes.unused):
            assert at_hand.do("ZCARD", key) == 0
        assert at_hand.do("GET", at_hand.indexes.counted_bytes) == b"0"
        assert len(await e.read_log(house, "run-1")) == 3


async def test_what_is_announced_a_moment_before_it_happens_is_waited_for(at_hand: AtHand) -> None:
    """A sweep between the two does not take the entry away, by which the sweeps after it find what was announced."""
    everything = {"session_ttl": 1.0, "log_retention": AT_ONCE, "run_retention": AT_ONCE}
    async with at_hand.process(**everything) as house:
        await e.lease(house)
        await e.record(house, e.record_entry("run-1"))
        now_us = int(at_hand.do("ZSCORE", at_hand.indexes.tenant(e.TENANT), f"{e.TENANT}\0run-1\0"))
        for run_id in ("run-1", "soon"):
            place = f"{e.TENANT}\0{run_id}\0"
            at_hand.do("ZADD", at_hand.indexes.to_trim, now_us, f"{place}\x0050")
            at_hand.do("ZADD", at_hand.indexes.to_remove, now_us, place)
        at_hand.do("ZADD", at_hand.indexes.unused, now_us, f"{e.TENANT}\0soon")
        await sweep(house)
        assert at_hand.do("ZCARD", at_hand.indexes.counted) == 2
        assert at_hand.do("ZCARD", at_hand.indexes.to_remove) == 2
        assert at_hand.do("ZCARD", at_hand.indexes.unused) == 1
