"""A server's clock that is behind what was written, as after a failover: nothing comes twice, and nothing is stuck."""

from pathlib import Path

from penstock.state.open_store import open_store
from penstock.state.redis.clock import RedisClock
from penstock.state.redis.keys import Keys
from penstock.state.settings import StateSettings
from penstock.v1.limit_pb2 import RateLimit, TakeRequest
from penstock.v1.state_pb2 import CompareAndSetValueRequest, DeleteValueRequest, SetValueRequest
from tests.state.entries import TENANT
from tests.stores.server import ValkeyServer

HOUR_US = 3_600_000_000


async def test_versions_grow_though_the_clock_went_back(valkey: ValkeyServer, tmp_path: Path) -> None:
    """Across a delete too, and an old version does not win."""
    namespace = f"clock-{tmp_path.parent.name}"
    async with open_store(StateSettings(url=f"{valkey.url}?namespace={namespace}", lifecycle_topic="")) as store:
        old = await store.values.set(SetValueRequest(tenant=TENANT, key="k"))
        ahead = old + HOUR_US
        valkey.command("HSET", Keys(namespace).tag("v", TENANT, b"k").key("head"), "v", ahead)
        assert await store.values.set(SetValueRequest(tenant=TENANT, key="k")) == ahead + 1
        assert (await store.values.delete(DeleteValueRequest(tenant=TENANT, key="k"))).deleted
        assert await store.values.set(SetValueRequest(tenant=TENANT, key="k")) == ahead + 3
        for version in (old, ahead, ahead + 1, ahead + 2):
            stale = CompareAndSetValueRequest(tenant=TENANT, key="k", version_is=version)
            assert not (await store.values.compare_and_set(stale)).applied


async def test_a_bucket_from_the_future_fills_from_now_on(valkey: ValkeyServer, tmp_path: Path) -> None:
    """It does not stay empty for as long as the clock was ahead."""
    namespace = f"clock-{tmp_path.parent.name}"
    limit = RateLimit(name="calls", rate=1.0, burst=10, amount=10)
    async with open_store(StateSettings(url=f"{valkey.url}?namespace={namespace}", lifecycle_topic="")) as store:
        assert (await store.limits.take(TakeRequest(tenant=TENANT, limits=[limit]))).granted
        bucket = Keys(namespace).tag("l", TENANT).key("bucket", "calls")
        seconds, _ = valkey.command("TIME")
        valkey.command("HSET", bucket, "t", seconds * 1_000_000 + HOUR_US)
        denied = await store.limits.take(TakeRequest(tenant=TENANT, limits=[limit]))
        assert not denied.granted
        assert 9 < denied.retry_after.ToSeconds() + 1 <= 11


def test_the_clock_here_follows_the_server_s_forward_and_goes_on_when_that_goes_back() -> None:
    """A step back of less than a second is waited out, a longer one is not followed."""
    elapsed = [0]
    clock = RedisClock(lambda: elapsed[0])
    clock.sample(1_000_000_000, 0, 100_000)
    seen = [clock.now_us()]
    assert abs(seen[0] - 1_000_000_000) <= 100
    for step_us in (HOUR_US, -500_000, -HOUR_US):
        elapsed[0] += 1_000_000_000
        before = clock.now_us()
        clock.sample(before + step_us, elapsed[0], elapsed[0] + 10_000)
        seen.append(clock.now_us())
        if step_us > 0:
            assert seen[-1] >= before + step_us - 100
        else:
            assert seen[-1] >= before
    elapsed[0] += 1_000_000_000
    assert clock.now_us() > seen[-1]


def test_a_slow_answer_does_not_disturb_what_a_quick_one_told() -> None:
    """Where the server's clock may have stood at any moment of a second, nothing is learnt."""
    elapsed = [0]
    clock = RedisClock(lambda: elapsed[0])
    clock.sample(1_000_000_000, 0, 100_000)
    elapsed[0] = 2_000_000_000
    clock.sample(1_001_100_000, 1_000_000_000, 2_000_000_000)
    assert abs(clock.now_us() - 1_002_000_000) <= 100


def test_an_answer_that_took_a_minute_teaches_nothing() -> None:
    """However long none was of use, as after the server's clock was set back."""
    elapsed = [0]
    clock = RedisClock(lambda: elapsed[0])
    clock.sample(1_000_000_000, 0, 100_000)
    for _ in range(1000):
        elapsed[0] += 500_000_000
        clock.sample(1, elapsed[0], elapsed[0] + 100_000)
    before = clock.now_us()
    clock.sample(before, elapsed[0] - 60_000_000_000, elapsed[0])
    assert clock.now_us() - before < 1_000_000
