"""Topics on Redis when answers are lost, callers go and consumers are slow: whoever waits for news gets them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock.state.open_store import open_store
from penstock.state.redis import topics_presence
from penstock.state.redis.faults import is_unclear
from penstock.state.redis.keys import Keys
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.settings import StateSettings
from penstock.state.stores import Store
from penstock.state.topic_store import GRACE_US, Demand, Member
from penstock.state.topics.delivery import deliver
from penstock.v1.event_pb2 import AcknowledgeRequest, FailedDelivery, TopicEvent
from penstock.wire.errors import Unavailable
from tests.state.entries import TENANT
from tests.stores.proxy import Loss, Proxy, proxy_to
from tests.stores.server import ValkeyServer

HOUR_US = 3_600_000_000


class Troubled:
    """Represents a topic `t` of a store of its own, served by one process that is near and one behind a proxy."""

    def __init__(self, server: ValkeyServer, namespace: str) -> None:
        self.server = server
        self.query = f"?namespace={namespace}"
        self.keys = TopicKeys(Keys(namespace), TENANT, "t")

    @asynccontextmanager
    async def process(self, proxy: Proxy | None = None) -> AsyncGenerator[Store]:
        """One state process."""
        url = self.server.url if proxy is None else self.server.url_through(proxy.address)
        async with open_store(StateSettings(url=url + self.query, lifecycle_topic="")) as store:
            yield store


@pytest.fixture
def troubled(valkey: ValkeyServer, tmp_path: Path) -> Troubled:
    """An empty store."""
    return Troubled(valkey, f"troubled-{tmp_path.parent.name}-{tmp_path.name}".replace("_", "-")[-64:])


class Follower:
    """Represents a stream of a group; `demand` is how much it may have."""

    def __init__(self, store: Store, group: str, stream: str, most: int = 10) -> None:
        self.member = Member(TENANT, "t", group, stream)
        self.demand = Demand(most, 1_000_000, HOUR_US)
        self._store = store
        self._woken = asyncio.Event()
        self.forget = store.topics.watch(self.member, self._woken.set)

    async def join(self) -> None:
        """Joins at the topic's begin, and takes what is there."""
        await self._store.topics.join(self.member, 0)
        await self.take()
        await self.quiet()

    async def take(self) -> list[int]:
        """Takes the positions that it may have."""
        return [event.position for event in (await self._store.topics.take(self.member, self.demand)).events]

    async def quiet(self) -> None:
        """Lets the news pass that are under way, so that those to come can be told from them."""
        while True:
            try:
                async with asyncio.timeout(0.3):
                    await self._woken.wait()
                self._woken.clear()
            except TimeoutError:
                return

    async def woken(self) -> list[int]:
        """Waits for news, and takes the positions that it may have since."""
        async with asyncio.timeout(10):
            while True:
                await self._woken.wait()
                self._woken.clear()
                if taken := await self.take():
                    return taken


async def publish(store: Store, *names: str) -> list[int]:
    """Publishes events with these ids."""
    return list(await store.topics.publish(TENANT, "t", [TopicEvent(event_id=name, type="x") for name in names]))


def _answer(*positions: int, failed: tuple[int, ...] = ()) -> AcknowledgeRequest:
    failures = [FailedDelivery(position=position, reason="no") for position in failed]
    return AcknowledgeRequest(tenant=TENANT, topic="t", group="g", positions=positions, failed=failures)


async def _lose(loss: Loss, work: Coroutine[Any, Any, object]) -> None:
    """Does something whose answer is lost, and sees that nobody is told that it was or wasn't done."""
    async with asyncio.TaskGroup() as group:
        group.create_task(loss.cut())
        with pytest.raises(Unavailable) as raised:
            await work
    assert is_unclear(raised.value)


async def test_a_publish_whose_answer_was_lost_reaches_the_streams_at_once(troubled: Troubled) -> None:
    """Here and elsewhere they hear of it as of any other; the repeat adds nothing and tells the same position."""
    async with (
        proxy_to(troubled.server.address) as proxy,
        troubled.process(proxy) as here,
        troubled.process() as there,
    ):
        followers = [Follower(here, "g", "here"), Follower(there, "h", "there")]
        for follower in followers:
            await follower.join()
        loss = proxy.lose_answer(lambda piece: b"unheard" in piece)
        await _lose(loss, publish(here, "unheard"))
        for follower in followers:
            assert await follower.woken() == [1]
        assert await publish(here, "unheard") == [1]


async def test_a_publish_whose_caller_has_gone_reaches_the_streams_at_once(troubled: Troubled) -> None:
    """Once it is sent, it is done: nobody waits for the answer any more, but the streams do for the event."""
    async with troubled.process() as here, troubled.process() as there, asyncio.TaskGroup() as group:
        followers = [Follower(here, "g", "here"), Follower(there, "h", "there")]
        for follower in followers:
            await follower.join()
        await publish(here, "first")
        for follower in followers:
            await follower.quiet()
            assert await follower.take() == [1]
        troubled.server.stall()
        try:
            going = group.create_task(publish(here, "second"))
            for _ in range(5):  # turns of the loop, after which it has left
                await asyncio.sleep(0)
            going.cancel()
        finally:
            troubled.server.resume()
        for follower in followers:
            assert await follower.woken() == [2]


@pytest.mark.parametrize("answer", [lambda: _answer(1), lambda: _answer(failed=(1,))], ids=["done with", "failed"])
async def test_an_answer_whose_acknowledgement_was_lost_makes_room(
    troubled: Troubled, answer: Callable[[], AcknowledgeRequest]
) -> None:
    """The stream in another process that had the event goes on, though the repeat finds nothing to answer."""
    async with (
        proxy_to(troubled.server.address) as proxy,
        troubled.process(proxy) as here,
        troubled.process() as there,
    ):
        await publish(there, "a", "b")
        follower = Follower(there, "g", "stream", most=1)
        await follower.join()
        assert await follower.take() == []
        group_key, _ = troubled.keys.group("g")
        loss = proxy.lose_answer(lambda piece: group_key in piece)
        await _lose(loss, here.topics.acknowledge(answer()))
        assert len(await follower.woken()) == 1


async def test_what_a_stream_gave_back_reaches_others_though_the_answer_was_lost(troubled: Troubled) -> None:
    """It was given back; nobody has to wait for a heartbeat to see it."""
    async with (
        proxy_to(troubled.server.address) as proxy,
        troubled.process(proxy) as here,
        troubled.process() as there,
    ):
        await publish(there, "a")
        going, staying = Follower(here, "g", "going"), Follower(there, "g", "staying")
        await here.topics.join(going.member, 0)
        assert await going.take() == [1]
        await staying.join()
        loss = proxy.lose_answer(lambda piece: b"\r\ngoing\r\n" in piece)
        await _lose(loss, here.topics.leave(going.member))
        assert await staying.woken() == [1]


async def test_a_slow_consumer_keeps_its_group_and_what_it_has(
    troubled: Troubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it holds its stream up, its process shows that it lives; only time itself takes its events."""
    monkeypatch.setattr(topics_presence, "_EVERY_S", 0.02)
    async with troubled.process() as here, troubled.process() as there:
        await publish(there, "a", "b")
        demand = Demand(10, 1_000_000, HOUR_US)
        own, slow = Member(TENANT, "t", "~own", "own"), Member(TENANT, "t", "g", "slow")
        async with (
            aclosing(deliver(here.topics, own, demand, from_position=0, heartbeat=10)) as mine,
            aclosing(deliver(here.topics, slow, demand, from_position=0, heartbeat=10)) as ours,
        ):
            for stream in (mine, ours):
                assert (await anext(stream)).group
                assert len((await anext(stream)).events) == 2
            long_ago = troubled.server.command("TIME")[0] * 1_000_000 - 2 * GRACE_US
            for member in (own, slow):
                group, _ = troubled.keys.group(member.group)
                record = troubled.server.command("HGET", group, f"s:{member.stream}").split()
                aged = b" ".join([*record[:4], b"%d" % long_ago])
                troubled.server.command("HSET", group, f"s:{member.stream}", aged, "seen", long_ago)
                async with asyncio.timeout(5):
                    while troubled.server.command("HGET", group, f"s:{member.stream}") == aged:  # noqa: ASYNC110 - Redis tells nobody
                        await asyncio.sleep(0.01)
                assert int(troubled.server.command("HGET", group, "seen")) > long_ago
