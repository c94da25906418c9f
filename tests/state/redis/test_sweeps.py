"""What time takes on Redis: names of nothing, silent streams, topics that nobody uses. Time is passed in the data."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.state.open_store import open_store
from penstock.state.redis.faults import RedisRefused
from penstock.state.redis.keys import Keys
from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.redis.topics_sweep import TopicSweep
from penstock.state.settings import StateSettings
from penstock.state.stores import Store, ValueQuery
from penstock.state.topic_store import GRACE_US, Demand, Member
from penstock.v1.event_pb2 import AcknowledgeRequest, TopicEvent
from penstock.v1.state_pb2 import CompareAndSetValueRequest, DeleteValueRequest, Expiry, SetValueRequest
from penstock.wire.errors import NotFound, Unavailable
from tests.state.entries import OWNER, TENANT, record_entry, seconds
from tests.state.redis.links import linked
from tests.stores.proxy import proxy_to
from tests.stores.server import ValkeyServer

DEMAND = Demand(max_unacknowledged=10, max_bytes=1_000_000, visibility_us=3_600_000_000)


class Aged:
    """Represents a store of its own on a shared server, with a hand on its clocks' traces."""

    def __init__(self, server: ValkeyServer, namespace: str) -> None:
        self.server = server
        self.namespace = namespace
        self.keys = Keys(namespace)
        self.url = f"{server.url}?namespace={namespace}"

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[Store]:
        """One more state process."""
        async with open_store(StateSettings(url=self.url, lifecycle_topic="")) as store:
            yield store

    def make_due(self, kind: str) -> None:
        """Has the minute pass after which names of a kind are looked at."""
        due = self.keys.tag("i", kind, TENANT).key("due")
        for name in self.server.command("ZRANGE", due, 0, -1):
            self.server.command("ZADD", due, 0, name)

    def names(self, kind: str) -> list[bytes]:
        """The names of a kind that are listed."""
        names: list[bytes] = self.server.command("ZRANGE", self.keys.tag("i", kind, TENANT).key("names"), 0, -1)
        return names

    def topic(self, name: str = "t") -> TopicKeys:
        """The keys of a topic."""
        return TopicKeys(self.keys, TENANT, name)

    def age_events(self, last: int) -> None:
        """Has the first events of topic `t`, up to one, come long ago."""
        keys = self.topic()
        entries = self.server.command("XRANGE", keys.events, "-", "+")
        self.server.command("DEL", keys.events)
        for position, (entry_id, fields) in enumerate(entries, 1):
            if position <= last:
                fields[b"t"] = b"1"
            self.server.command("XADD", keys.events, entry_id, *(word for item in fields.items() for word in item))
        self.server.command("HSET", keys.topic, "oldest", 1)


@pytest.fixture
def aged(valkey: ValkeyServer, tmp_path: Path) -> Aged:
    """An empty store."""
    return Aged(valkey, f"aged-{tmp_path.parent.name}-{tmp_path.name}".replace("_", "-")[-64:])


async def sweep(store: Store) -> None:
    """Sweeps all."""
    async with asyncio.timeout(10):
        while await store.sweep():
            pass


async def listed(store: Store) -> list[str]:
    """The keys of all values."""
    page = await store.values.list(TENANT, ValueQuery(b"", b"", 100, keys_only=True, max_bytes=1 << 20))
    return [value.key for value in page.items]


async def test_the_names_of_deleted_values_go_and_their_versions_stay_a_day(aged: Aged) -> None:
    """What was made anew meanwhile, or was never touched, stays listed."""
    async with aged.process() as store:
        for key in ("gone", "again", "stays"):
            await store.values.set(SetValueRequest(tenant=TENANT, key=key))
        aged.make_due("values")
        await sweep(store)
        assert aged.names("values") == [b"again", b"gone", b"stays"]
        for key in ("gone", "again"):
            assert (await store.values.delete(DeleteValueRequest(tenant=TENANT, key=key))).deleted
        aged.make_due("values")
        again = CompareAndSetValueRequest(tenant=TENANT, key="again", must_not_exist=True)
        assert (await store.values.compare_and_set(again)).applied
        await sweep(store)
        assert aged.names("values") == [b"again", b"stays"]
        assert await listed(store) == ["again", "stays"]
        head = aged.keys.tag("v", TENANT, b"gone").key("head")
        assert 86_000_000 < aged.server.command("PTTL", head) <= 86_400_000


async def test_a_name_whose_value_was_never_made_goes(aged: Aged) -> None:
    """A process that died between the two steps leaves a name, which shows nowhere."""
    async with aged.process() as store:
        await store.values.set(SetValueRequest(tenant=TENANT, key="there"))
        for kind in ("names", "due"):
            aged.server.command("ZADD", aged.keys.tag("i", "values", TENANT).key(kind), 0, "never")
        assert await listed(store) == ["there"]
        aged.make_due("values")
        await sweep(store)
        assert aged.names("values") == [b"there"]


async def test_a_name_that_is_listed_while_it_is_looked_at_stays(aged: Aged) -> None:
    """Its value may be made after the look found none; else it would be in no list for ever."""
    async with linked(aged.url) as link:
        index = NameIndex(link, "values")
        await index.list(TENANT, b"slow")
        await index.list(TENANT, b"never")
        aged.make_due("values")

        async def look(tenant: str, name: bytes) -> None:
            if name == b"slow":
                await index.list(tenant, name)

        await index.sweep(look)
        assert aged.names("values") == [b"slow"]


async def test_a_name_whose_value_goes_while_it_is_looked_at_is_looked_at_again(aged: Aged) -> None:
    """The look has still found it; the name of nothing would else stay for ever."""
    async with linked(aged.url) as link:
        index = NameIndex(link, "values")
        await index.list(TENANT, b"there")
        aged.make_due("values")
        gone = False

        async def look(tenant: str, name: bytes) -> int | None:
            nonlocal gone
            if gone:
                return None
            index.note(tenant, name, None)
            gone = True
            return 0

        await index.sweep(look)
        assert aged.names("values") == [b"there"]
        await index.sweep(look)
        assert aged.names("values") == []


async def test_the_name_of_a_value_goes_also_when_nobody_heard_of_its_end(aged: Aged) -> None:
    """The answer to the delete, or to the write with a time to live, was lost."""
    async with proxy_to(aged.server.address) as proxy:
        url = f"{aged.server.url_through(proxy.address)}?namespace={aged.namespace}"
        async with aged.process() as maker, open_store(StateSettings(url=url, lifecycle_topic="")) as store:
            for key in ("deleted", "expired", "stays"):
                await maker.values.set(SetValueRequest(tenant=TENANT, key=key))
            aged.make_due("values")
            await sweep(store)
            ends = (
                store.values.delete(DeleteValueRequest(tenant=TENANT, key="deleted")),
                store.values.set(SetValueRequest(tenant=TENANT, key="expired", expiry=Expiry(ttl=seconds(0.001)))),
            )
            for key, end in zip((b"deleted", b"expired"), ends, strict=True):
                head = aged.keys.tag("v", TENANT, key).key("head")
                loss = proxy.lose_answer(lambda piece: head in piece)  # noqa: B023 - used up in this turn
                async with asyncio.TaskGroup() as group:
                    group.create_task(loss.cut())
                    with pytest.raises(Unavailable):
                        await end
            await store.check()
            aged.make_due("values")
            await sweep(store)
            assert aged.names("values") == [b"stays"]


async def test_names_that_a_lost_server_had_not_passed_on_are_listed_again(aged: Aged) -> None:
    """In a Cluster a value may outlive its name, which lay elsewhere; who listed it of late does so again."""
    async with proxy_to(aged.server.address) as proxy:
        url = f"{aged.server.url_through(proxy.address)}?namespace={aged.namespace}"
        async with open_store(StateSettings(url=url, lifecycle_topic="")) as store:
            for key in ("a", "b"):
                await store.values.set(SetValueRequest(tenant=TENANT, key=key))
            tag = aged.keys.tag("i", "values", TENANT)
            lost = tag.key("names"), tag.key("due"), aged.keys.index("tenants", "values")
            aged.server.command("DEL", *lost)
            await sweep(store)
            assert await listed(store) == []
            proxy.cut()
            async with asyncio.timeout(5):
                while await listed(store) != ["a", "b"]:
                    await sweep(store)
            aged.make_due("values")
            await sweep(store)
            assert await listed(store) == ["a", "b"]


async def test_a_name_that_can_t_be_looked_at_holds_up_no_other(aged: Aged) -> None:
    """It stays, and is tried again; the failure is told."""
    async with linked(aged.url) as link:
        index = NameIndex(link, "values")
        for name in (b"a", b"bad", b"c"):
            await index.list(TENANT, name)
        aged.make_due("values")

        async def look(tenant: str, name: bytes) -> None:
            if name == b"bad":
                raise Unavailable("its server is away")

        with pytest.raises(Unavailable):
            await index.sweep(look)
        assert aged.names("values") == [b"bad"]


async def test_a_sweep_that_fails_holds_up_no_other(aged: Aged) -> None:
    """What is wrong with values is told, and topics are swept all the same."""
    async with aged.process() as store:
        own = Member(TENANT, "t", "~s", "s")
        await store.topics.join(own, None)
        aged.server.command("HSET", aged.topic().group("~s")[0], "seen", 1)
        aged.make_due("topics")
        aged.server.command("SET", aged.keys.index("tenants", "values"), "not a list of tenants")
        with pytest.raises(RedisRefused, match="WRONGTYPE"):
            await store.sweep()
        with pytest.raises(Unavailable) as raised:
            await store.topics.take(own, DEMAND)
        assert raised.value.reason == "GROUP_LOST"


async def test_news_of_runs_that_can_t_be_published_hold_up_no_other_tenant_s(aged: Aged) -> None:
    """What is wrong with one tenant's topic is told; the others' subscribers do not wait for its mending."""
    async with open_store(StateSettings(url=aged.url)) as store:
        await store.ownership.renew(OWNER, 60_000_000)
        broken = TopicKeys(aged.keys, TENANT, "penstock.runs")
        aged.server.command("SET", broken.topic, "not a topic")
        for tenant in (TENANT, "other"):
            await store.runs.record(record_entry(f"run-of-{tenant}", tenant=tenant))
        with pytest.raises(RedisRefused, match="WRONGTYPE"):
            await store.sweep()
        member = Member("other", "penstock.runs", "g", "s")
        await store.topics.join(member, 0)
        taken = await store.topics.take(member, DEMAND)
        assert [event.event.event_id for event in taken.events] == ["run-of-other:RUNNING"]


async def test_many_names_of_nothing_hold_a_list_up_little(aged: Aged) -> None:
    """After many were deleted at once, a page of one value is found by few questions."""
    async with aged.process() as store:
        names = [f"k{number:04}" for number in range(1000)]
        await asyncio.gather(*(store.values.set(SetValueRequest(tenant=TENANT, key=name)) for name in names))
        await asyncio.gather(*(store.values.delete(DeleteValueRequest(tenant=TENANT, key=name)) for name in names[:-1]))
        aged.server.command("CONFIG", "RESETSTAT")
        page = await store.values.list(TENANT, ValueQuery(b"", b"", 1, keys_only=False, max_bytes=1 << 20))
        assert [value.key for value in page.items] == names[-1:]
        assert page.next_place is None
        asked = aged.server.info("commandstats")["cmdstat_zrangebylex"]
        assert int(asked.split("calls': ")[1].split(",")[0]) < 20


async def test_an_expired_value_s_data_goes_by_itself(aged: Aged) -> None:
    """Nobody has to come by; the name goes with the next look."""
    async with aged.process() as store:
        request = SetValueRequest(tenant=TENANT, key="k", data=b"x" * 1000, expiry=Expiry(ttl=seconds(0.02)))
        await store.values.set(request)
        body = aged.keys.tag("v", TENANT, b"k").key("body")
        async with asyncio.timeout(5):
            while aged.server.command("EXISTS", body):  # noqa: ASYNC110 - time itself is waited for
                await asyncio.sleep(0.005)
        assert await store.values.get(TENANT, "k") is None
        aged.make_due("values")
        await sweep(store)
        assert aged.names("values") == []


async def test_what_a_killed_process_s_streams_had_comes_to_others(aged: Aged) -> None:
    """After half a minute of silence; nothing of it counts as delivered."""
    async with aged.process() as one, aged.process() as two:
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id=name, type="x") for name in ("a", "b")])
        dead, living = Member(TENANT, "t", "g", "dead"), Member(TENANT, "t", "g", "living")
        await one.topics.join(dead, 0)
        assert len((await one.topics.take(dead, DEMAND)).events) == 2
        await two.topics.join(living, None)
        assert (await two.topics.take(living, DEMAND)).events == []
        group, _ = aged.topic().group("g")
        record = aged.server.command("HGET", group, "s:dead").split()
        aged.server.command("HSET", group, "s:dead", b" ".join([*record[:4], b"1"]), "seen", 1)
        taken = await two.topics.take(living, DEMAND)
        assert [(event.position, event.delivery) for event in taken.events] == [(1, 1), (2, 1)]
        # The one that was only silent goes on, and its late answer counts.
        assert list(await one.topics.acknowledge(_answer(1))) == []
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id="c", type="x")])
        assert [event.position for event in (await one.topics.take(dead, DEMAND)).events] == [3]


async def test_news_of_topics_reach_the_streams_of_other_processes(aged: Aged) -> None:
    """A publish, an answer that makes room, and what is given back: each wakes who may have it, and soon."""
    async with aged.process() as one, aged.process() as two:
        woken = asyncio.Event()

        async def wakes() -> None:
            async with asyncio.timeout(10):
                await woken.wait()
            woken.clear()

        mine, other = Member(TENANT, "t", "g", "mine"), Member(TENANT, "t", "g", "other")
        two.topics.watch(mine, woken.set)
        await two.topics.join(mine, None)
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id="a", type="x")])
        await wakes()
        assert len((await two.topics.take(mine, DEMAND)).events) == 1
        assert list(await one.topics.acknowledge(_answer(1))) == []
        await wakes()
        await one.topics.join(other, None)
        await one.topics.publish(TENANT, "t", [TopicEvent(event_id="b", type="x")])
        await wakes()
        assert len((await one.topics.take(other, DEMAND)).events) == 1
        await one.topics.leave(other)
        await wakes()
        assert [event.delivery for event in (await two.topics.take(mine, DEMAND)).events] == [2]


async def test_a_killed_process_s_own_groups_and_reply_addresses_go(aged: Aged) -> None:
    """After a minute without a sign of life; who asks in their name is told that they are gone."""
    async with aged.process() as store:
        own = Member(TENANT, "reply.x", "~s", "s")
        await store.topics.join(own, None)
        await store.topics.publish(TENANT, "reply.x", [TopicEvent(event_id="a", type="x")])
        aged.make_due("topics")
        await sweep(store)
        assert len((await store.topics.take(own, DEMAND)).events) == 1
        keys = aged.topic("reply.x")
        group, _ = keys.group("~s")
        old = aged.server.command("TIME")[0] * 1_000_000 - GRACE_US - 1_000_000
        aged.server.command("HSET", group, "seen", old)
        aged.make_due("topics")
        await sweep(store)
        with pytest.raises(Unavailable) as raised:
            await store.topics.take(own, DEMAND)
        assert raised.value.reason == "GROUP_LOST"
        aged.server.command("HSET", keys.topic, "used", old)
        aged.make_due("topics")
        await sweep(store)
        with pytest.raises(NotFound):
            await store.topics.publish(TENANT, "reply.x", [TopicEvent(event_id="b", type="x")])
        assert aged.names("topics") == []
        assert keys.topic not in aged.server.all_keys(f"penstock:{aged.namespace}:*")


async def test_a_topic_is_looked_at_each_minute_though_the_clock_here_is_ahead(aged: Aged) -> None:
    """As it stays when the server's clock was a day ahead for a moment."""
    async with linked(aged.url) as link:
        index = NameIndex(link, "topics")
        await index.list(TENANT, b"t")
        aged.server.command("HSET", aged.topic().topic, "first", 1, "next", 1, "used", link.clock.now_us())
        aged.make_due("topics")
        now_ns = time.monotonic_ns()
        link.clock.sample(link.clock.now_us() + 86_400_000_000, now_ns, now_ns)
        await TopicSweep(link, index, 3600).sweep()
        due = aged.server.command("ZSCORE", aged.keys.tag("i", "topics", TENANT).key("due"), "t")
        assert 0 < due / 1e6 - aged.server.command("TIME")[0] <= 61


async def test_old_events_go_without_anybody_publishing(aged: Aged) -> None:
    """The sweep trims them; positions go on, and the group hears how many it missed."""
    async with aged.process() as store:
        member = Member(TENANT, "t", "g", "s")
        await store.topics.join(member, None)
        await store.topics.publish(TENANT, "t", [TopicEvent(event_id=f"e{n}", type="x") for n in range(1, 26)])
        aged.age_events(20)
        aged.make_due("topics")
        await sweep(store)
        taken = await store.topics.take(member, DEMAND)
        assert taken.skipped == 20
        assert [event.position for event in taken.events] == [21, 22, 23, 24, 25]
        assert list(await store.topics.publish(TENANT, "t", [TopicEvent(event_id="e1", type="x")])) == [26]


def _answer(position: int) -> AcknowledgeRequest:
    return AcknowledgeRequest(tenant=TENANT, topic="t", group="g", positions=[position])


async def test_old_events_that_are_big_go_in_pieces(aged: Aged) -> None:
    """Nobody waits for a step that looks through a hundred megabytes."""
    async with aged.process() as store:
        payload = '"' + "x" * 900_000 + '"'
        for number in range(30):
            event = TopicEvent(event_id=f"e{number}", type="x", payload_json=payload)
            await store.topics.publish(TENANT, "t", [event])
        aged.age_events(29)
        kept = []
        async with asyncio.timeout(10):
            while not kept or kept[-1] > 1:
                aged.make_due("topics")
                await store.sweep()
                kept.append(aged.server.command("XLEN", aged.topic().events))
        assert 15 <= kept[0] < 30
        assert kept[-1] == 1


async def test_processes_that_check_at_once_do_not_alarm_each_other(aged: Aged) -> None:
    """Each looks for its own write."""
    async with aged.process() as one, aged.process() as two:
        for _ in range(300):
            await asyncio.gather(one.check(), two.check())
