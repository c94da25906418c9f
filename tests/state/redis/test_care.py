"""Looking a store over, walking through all of it, and what an import leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar

import grpc
import grpc.aio
import pytest

from penstock.state.care import RecordKind
from penstock.state.redis.care_names import RecordNames
from penstock.state.redis.link import Link
from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.room_keys import RunKeys, SessionKeys, room_key
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.redis.values_index import ValueIndex
from penstock.v1 import state_admin_pb2 as pb
from penstock.v1.event_pb2 import PublishRequest, TopicEvent
from penstock.v1.run_pb2 import DURABILITY_REPLICA
from penstock.v1.session_pb2 import AppendMessagesRequest, UpdateSessionRequest
from penstock.v1.state_pb2 import SetValueRequest
from tests.state import entries as e
from tests.state.admin import administered
from tests.state.house import House
from tests.state.redis.at_hand import AtHand, at_hand
from tests.state.redis.links import linked
from tests.state.two_stores import without_cursors
from tests.stores.cluster import ValkeyCluster

__all__ = ["at_hand"]

T = TypeVar("T")
Damage = Callable[[AtHand], object]


async def a_little_of_everything(house: House) -> None:
    """Runs that have ended and that go on, a session, a value, and a topic."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1", session="s"))
    await e.append_events(house, "run-1", e.token("a"), e.token("b"))
    await e.append_events(house, "run-1", e.step_finished(), e.run_finished(output_step="main"))
    await e.record(house, e.record_entry("run-2"))
    messages = [e.message("m1"), e.message("m2")]
    await house.sessions.AppendMessages(AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=messages))
    await house.sessions.UpdateSession(UpdateSessionRequest(tenant=e.TENANT, session_id="s", data_json="1"))
    await house.values.SetValue(SetValueRequest(tenant=e.TENANT, key="k", data=b"x"))
    events = [TopicEvent(event_id=f"n{number}", type="t", payload_json="{}") for number in range(3)]
    await house.events.Publish(PublishRequest(tenant=e.TENANT, topic="news", events=events))


def run_1(at_hand: AtHand) -> RunKeys:
    """The keys of a run that has ended, in a session."""
    return RunKeys.of(at_hand.session(), "run-1")


def run_2(at_hand: AtHand) -> RunKeys:
    """The keys of a run that goes on, by itself."""
    return RunKeys.of(at_hand.run("run-2"), "run-2")


def second_entry(at_hand: AtHand) -> bytes:
    """Names the second entry of a log."""
    _, (name, _), *_ = at_hand.do("XRANGE", run_1(at_hand).log, "-", "+")
    return bytes(name)


DAMAGES: tuple[tuple[str, Damage, str], ...] = (
    ("LOG_SHORT", lambda at: at.do("DEL", run_1(at).log), "run run-1 of tenant acme"),
    ("LOG_SHORT", lambda at: at.do("DEL", run_2(at).log), "run run-2 of tenant acme"),
    ("LOG_GAP", lambda at: at.do("XDEL", run_1(at).log, second_entry(at)), "run run-1"),
    ("SPEC_MISSING", lambda at: at.do("HDEL", run_1(at).fixed, "s"), "run"),
    ("SPEC_MISSING", lambda at: at.do("DEL", run_2(at).fixed), "run run-2 of tenant acme"),
    ("HEAD_DAMAGED", lambda at: at.do("HSET", run_1(at).fixed, "h", b"\xff\xff"), "run run-1"),
    ("HEAD_MISSING", lambda at: at.do("HDEL", run_1(at).fixed, "h"), "run run-1"),
    ("ROOM_DAMAGED", lambda at: at.do("HSET", room_key(at.run("run-2")), run_2(at).head, b"\xff"), "room"),
    ("MESSAGES_MISSING", lambda at: at.do("HDEL", SessionKeys.of(at.session()).messages, 1), "session s of tenant"),
    ("DATA_MISSING", lambda at: at.do("DEL", SessionKeys.of(at.session()).data), "session s of tenant acme"),
    ("KEYS_WITHOUT_OWNER", lambda at: at.do("DEL", room_key(at.session())), "run-1"),
    ("INDEX_INCOMPLETE", lambda at: at.do("DEL", room_key(at.run("run-1"))), "run run-1"),
    ("INDEX_INCOMPLETE", lambda at: at.do("DEL", at.indexes.tenant(e.TENANT)), "run run-2"),
    ("VALUE_MISSING", lambda at: at.do("DEL", at.keys.tag("v", e.TENANT, "k").key("body")), "head"),
    ("EVENTS_MISSING", lambda at: at.do("XDEL", TopicKeys(at.keys, e.TENANT, "news").events, "2-0"), "topic news"),
)


@pytest.mark.parametrize(("told", "damage", "words"), DAMAGES, ids=[f"{n}-{one[0]}" for n, one in enumerate(DAMAGES)])
async def test_damage_is_found_and_named(at_hand: AtHand, told: str, damage: Damage, words: str) -> None:
    """Whatever is missing or does not agree is told with its kind, and with whose it is."""
    async with at_hand.process() as house, administered(house.layer) as admin:
        await a_little_of_everything(house)
        assert await admin.problems() == []
        damage(at_hand)
        problems = await admin.problems()
        assert [problem for problem in problems if problem.startswith(f"{told} ") and words in problem], problems
        # What can be counted is counted all the same.
        assert (await admin.stats())["keys"] > 10


async def test_a_store_at_work_shows_no_damage_that_is_none(at_hand: AtHand) -> None:
    """What changes while it is looked at is looked at once more."""
    async with at_hand.process() as house, at_hand.process() as other, administered(other.layer) as admin:
        await e.lease(house)
        enough, done = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            for number in count(1):
                await e.record(house, e.record_entry(f"run-{number}", session=f"s{number % 7}"))
                await e.append_events(house, f"run-{number}", e.token("a"), e.token("b"))
                finish = [e.step_finished(), e.run_finished(output_step="main")]
                await e.append_events(house, f"run-{number}", *finish)
                if number == 10:
                    enough.set()
                if done.is_set():
                    break

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(work())
            looked = 0
            while looked < 10 or not enough.is_set():
                assert await admin.problems() == []
                looked += 1
            done.set()


async def test_every_record_is_listed_once_however_small_the_piece(at_hand: AtHand) -> None:
    """Sessions and tenants have no order by themselves; each place leads to those behind it, in every process."""
    tenants = [f"tenant-{number}" for number in range(9)]
    async with at_hand.process() as house, linked(at_hand.url) as link:
        await e.lease(house)
        for tenant in tenants:
            for number in range(3):
                await e.record(house, e.record_entry(f"run-{number}", tenant=tenant, session=f"s{number}"))
        wanted = {(tenant, number) for tenant in tenants for number in range(3)}
        for kind, name in ((RecordKind.SESSION, "s{}"), (RecordKind.RUN, "run-{}")):
            places = await all_places(listing(link), kind)
            assert sorted(place[:2] for place in places) == sorted((t, name.format(number)) for t, number in wanted)
            # From any place on, also with nothing known so far.
            for at in (0, 5, 13, 26):
                assert await all_places(listing(link), kind, places[at][2]) == places[at + 1 :]
        runs = await all_places(listing(link), RecordKind.RUN)
        assert [run for _, run, _ in runs] == ["run-0", "run-1", "run-2"] * len(tenants)


def listing(link: Link) -> RecordNames:
    """A listing that keeps few names at once."""
    return RecordNames(link, ValueIndex(link), NameIndex(link, "topics"), window=4)


async def all_places(names: RecordNames, kind: RecordKind, after: bytes = b"") -> list[tuple[str, str, bytes]]:
    """Lists what comes after a place, two at a time."""
    found: list[tuple[str, str, bytes]] = []
    while True:
        page = await names.page(kind, after, 2)
        found += [(name.tenant, name.name, name.place) for name in page.items]
        if page.next_place is None:
            return found
        after = page.next_place


async def test_an_import_leaves_nothing_behind_but_what_it_brought(at_hand: AtHand) -> None:
    """Events are kept beside a run until it comes; where none comes, they go by themselves in a day."""
    async with at_hand.process() as house, administered(house.layer) as admin:
        await a_little_of_everything(house)
        records = await admin.export()
    whole = AtHand(at_hand.server, f"{at_hand.namespace}-2")
    async with whole.process() as house, administered(house.layer) as admin:
        await admin.take_in(*records)
        aside = [key for key in whole.left() if key.endswith(b":imported") or b":made:" in key]
        assert aside == []
        assert whole.do("TTL", run_1(whole).log) == -1
        assert await admin.problems() == []
    part = AtHand(at_hand.server, f"{at_hand.namespace}-3")
    async with part.process() as house, administered(house.layer) as admin:
        await admin.take_in(*[record for record in records if not record.HasField("run")])
        kept = part.run("run-1").key("imported")
        assert 80_000 < part.do("TTL", kept) <= 86_400
        (run,) = [record for record in records if record.run.record.run.run_id == "run-1"]
        run.run.record.run.last_sequence += 1
        assert await admin.take_in(run) == ["CONFLICT"]
        made = [key for key in part.left() if b":made:" in key]
        assert all(0 < part.do("TTL", f"penstock:{part.namespace}:".encode() + key) <= 3600 for key in made)


async def test_the_memory_that_is_not_used_is_asked_for(at_hand: AtHand) -> None:
    """What giving space back means here is said."""
    async with at_hand.process() as house, administered(house.layer) as admin:
        responses = [each async for each in admin.calls.VacuumStore(pb.VacuumStoreRequest())]
        assert responses[-1].left_bytes == 0
        assert "MEMORY PURGE" in responses[-1].note


async def test_the_statistics_say_what_serves_and_how_big_it_is(at_hand: AtHand) -> None:
    """Servers with their version, how many they are, where, without a password, and the oldest runs."""
    async with at_hand.process() as house, administered(house.layer) as admin:
        await a_little_of_everything(house)
        stats = await admin.calls.GetStoreStats(pb.GetStoreStatsRequest())
        assert stats.engine.startswith("valkey ")
        assert stats.engine.endswith(", cluster of 6") == ("cluster" in at_hand.url)
        assert stats.place in at_hand.url
        first, second = [(await e.run_record(house, name)).run.create_time for name in ("run-1", "run-2")]
        assert (stats.oldest_run_time, stats.oldest_unfinished_run_time) == (first, second)
        figures = {figure.name: figure.count for figure in stats.figures}
        wanted = {"runs": 2, "unfinished_runs": 1, "sessions": 1, "messages": 3, "topic_events": 3, "values": 1}
        assert {name: figures[name] for name in wanted} == wanted
        assert figures["memory_bytes"] > 100_000


async def confirmed(ask: Callable[[], Awaitable[T]]) -> T:
    """Asks until the replicas have confirmed all that it takes, which they may be late with."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await ask()
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            await asyncio.sleep(0.02)  # replicas tell nobody here


@pytest.mark.parametrize("session", ["", "s"])
async def test_what_replicas_are_to_have_they_have_after_an_import(valkey_cluster: ValkeyCluster, session: str) -> None:
    """A run that is to survive a failover is seen, ended or not, and stands as it stood."""
    old, new = (AtHand(valkey_cluster, f"replica-{session}-{name}") for name in ("old", "new"))
    async with old.process() as house, administered(house.layer) as admin:
        await e.lease(house)
        for run in ("ended", "going"):
            entry = e.record_entry(run, session=session and f"{session}-{run}")
            entry.spec.durability = DURABILITY_REPLICA
            await e.record(house, entry)
            await e.append_events(house, run, e.token("a"), e.token("b"))
        await e.append_events(house, "ended", e.step_finished(output="said"), e.run_finished(output_step="main"))
        records = await confirmed(admin.export)
    async with new.process() as house, administered(house.layer) as admin:
        assert "CONFLICT" not in await confirmed(lambda: admin.take_in(*records))
        assert without_cursors(await confirmed(admin.export)) == without_cursors(records)
        assert await admin.problems() == []
    # The mark that says so stands in the store, and not in this process only.
    tag = new.session("s-going") if session else new.run("going")
    assert int(new.do("HGET", room_key(tag), RunKeys.of(tag, "going").durable)) == 4
    async with new.process() as house:
        for run, last in (("ended", 6), ("going", 4)):
            assert len(await e.read_log(house, run)) == last
            record = await e.run_record(house, run)
            assert (record.run.last_sequence, record.run.durable_sequence) == (last, last)
