"""News between processes: heard at once, and what is missed is known to be missed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from penstock.state.redis import news as news_module
from penstock.state.redis import news_listener
from penstock.state.redis.link import Link
from penstock.state.redis.news import RUNS, TOPICS, News, open_news
from tests.state.redis.links import linked
from tests.stores.cluster import ValkeyCluster, cluster
from tests.stores.proxy import proxy_to
from tests.stores.server import ValkeyServer

QUIET = 1.1
"""Seconds in which doubt would have been raised if there was any cause."""
PATIENCE = 20.0
TRIES = 10
"""How often is tried what a machine spoils that stops for half a second, which is cause for doubt."""


class Follower:
    """Notes what it hears and when it doubts."""

    def __init__(self, news: News) -> None:
        self.heard: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
        self.doubted = asyncio.Event()
        self.doubts = 0
        news.subscribe(RUNS, lambda name, payload: self.heard.put_nowait((name, payload)), self._doubt)

    def _doubt(self) -> None:
        self.doubts += 1
        self.doubted.set()

    async def next(self) -> bytes:
        """Returns what is heard next."""
        async with asyncio.timeout(PATIENCE):
            return (await self.heard.get())[1]

    async def doubt(self) -> float:
        """Waits for doubt, and returns how many seconds that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(PATIENCE):
            await self.doubted.wait()
        self.doubted.clear()
        return loop.time() - began


@asynccontextmanager
async def follower(url: str) -> AsyncGenerator[Follower]:
    """A process that follows; what doubt its own beginning raises is over."""
    async with linked(url) as link, open_news(link) as news:
        follower = Follower(news)
        await asyncio.sleep(0)
        follower.doubted.clear()
        follower.doubts = 0
        yield follower


@asynccontextmanager
async def publisher(url: str) -> AsyncGenerator[tuple[News, Link]]:
    """A process that publishes."""
    async with linked(url) as link, open_news(link) as news:
        yield news, link


@pytest.fixture(params=["valkey", "valkey_cluster"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A server that other tests use too."""
    return f"{request.getfixturevalue(request.param).url}?namespace={tmp_path.name.replace('_', '-')[-40:]}"


async def test_news_arrive_in_order_at_all_others_and_not_at_home(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand messages, with bytes of any kind; other kinds of news are for others."""
    for module in (news_module, news_listener):
        monkeypatch.setattr(module, "SILENCE_S", 3600.0)  # only what is missed raises doubt, and no stall
    async with publisher(url) as (news, _), follower(url) as one, follower(url) as two:
        at_home = Follower(news)
        news.publish(TOPICS, b"not for runs")
        for number in range(1000):
            news.publish(RUNS, b"\r\n\x00\xff%d" % number)
        for other in (one, two):
            assert [await other.next() for _ in range(1000)] == [b"\r\n\x00\xff%d" % number for number in range(1000)]
            assert other.doubts == 0
        assert at_home.heard.empty()


async def test_while_all_is_well_nobody_doubts(url: str) -> None:
    """Beats take the place of news; who comes and who says goodbye raise no doubt either."""
    for _ in range(TRIES):
        async with follower(url) as follows:
            async with publisher(url):
                await asyncio.sleep(QUIET)  # the time itself is what must pass
            await asyncio.sleep(QUIET)
        if follows.doubts == 0:
            return
    pytest.fail("there was doubt each time")


async def test_who_begins_in_the_middle_doubts_what_was_before(url: str) -> None:
    """The first number heard tells that there were others."""
    async with publisher(url) as (news, _):
        news.publish(RUNS, b"before")
        async with linked(url) as link, open_news(link) as later:
            follows = Follower(later)
            await follows.doubt()


async def test_a_publisher_that_falls_silent_is_doubted_once(valkey: ValkeyServer) -> None:
    """Its process may have died between a commit and the news of it; then it is forgotten."""
    for _ in range(TRIES):
        async with proxy_to(valkey.address) as proxy, follower(valkey.url) as follows, AsyncExitStack() as stack:
            news, _ = await stack.enter_async_context(publisher(valkey.url_through(proxy.address)))
            news.publish(RUNS, b"x")
            await follows.next()
            proxy.stall()
            took = await follows.doubt()
            await asyncio.sleep(QUIET)
            proxy.resume()
        if took < 1.3 and follows.doubts == 1:
            return
    pytest.fail(f"the last doubt took {took:.1f} s, and there were {follows.doubts}")


async def test_news_that_were_lost_on_their_way_raise_doubt(valkey: ValkeyServer) -> None:
    """The next beat has a number too high, within a second."""
    async with (
        proxy_to(valkey.address) as proxy,
        follower(valkey.url) as follows,
        publisher(valkey.url_through(proxy.address)) as (news, _),
    ):
        news.publish(RUNS, b"heard")
        assert await follows.next() == b"heard"
        proxy.stall()
        news.publish(RUNS, b"lost")
        await asyncio.sleep(0.05)  # the proxy holds the message; what it holds is gone with the connection
        proxy.cut()
        proxy.resume()
        await follows.doubt()


async def test_a_subscription_that_was_renewed_raises_doubt(valkey: ValkeyServer) -> None:
    """What came in between nobody has heard; after it news arrive again."""
    async with (
        proxy_to(valkey.address) as proxy,
        publisher(valkey.url) as (news, _),
        follower(valkey.url_through(proxy.address)) as follows,
    ):
        news.publish(RUNS, b"first")
        assert await follows.next() == b"first"
        proxy.cut()
        await follows.doubt()
        news.publish(RUNS, b"second")
        assert await follows.next() == b"second"


async def test_without_a_subscription_doubt_is_raised_again_and_again(valkey: ValkeyServer) -> None:
    """So that who looks when in doubt sees everything within a second, also over a link that swallows all."""
    async with (
        proxy_to(valkey.address) as proxy,
        follower(valkey.url_through(proxy.address)) as follows,
    ):
        proxy.stall()
        assert min([await follows.doubt() for _ in range(3)]) < 1.3
        proxy.resume()


async def test_in_a_cluster_news_find_another_way_round_a_lost_primary(tmp_path: Path) -> None:
    """Within seconds all is as before, and what was missed meanwhile was doubted."""
    with cluster(tmp_path) as made:
        async with publisher(made.url) as (news, _), follower(made.url) as follows:
            news.publish(RUNS, b"first")
            assert await follows.next() == b"first"
            for server in made.primaries()[:1]:
                await asyncio.to_thread(server.kill)
            await follows.doubt()
            async with asyncio.timeout(60):
                while True:
                    news.publish(RUNS, b"again")
                    if await _within(follows, 0.2) == b"again":
                        break


async def _within(follows: Follower, seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(seconds):
            return (await follows.heard.get())[1]
    except TimeoutError:
        return None


async def test_two_stores_on_one_server_hear_nothing_of_each_other(valkey_cluster: ValkeyCluster) -> None:
    """Namespaces have channels of their own."""
    async with (
        publisher(f"{valkey_cluster.url}?namespace=one") as (news, _),
        follower(f"{valkey_cluster.url}?namespace=two") as other,
        follower(f"{valkey_cluster.url}?namespace=one") as mine,
    ):
        news.publish(RUNS, b"x")
        assert await mine.next() == b"x"
        assert other.heard.empty()
