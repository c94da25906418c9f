"""Shared counters: rates that never grant more than they say, and budgets that are given back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from penstock.state.settings import StateSettings
from penstock.v1 import limit_pb2 as pb
from penstock.wire.errors import InvalidArgument
from tests.state.entries import TENANT, seconds
from tests.state.house import House, error_of, open_house
from tests.state.in_time import Pace, in_time
from tests.stores.kinds import Kind

YEAR = 365 * 86400.0


def bucket(name: str = "calls", *, rate: float = 0.001, burst: float = 10, amount: float = 1) -> pb.RateLimit:
    return pb.RateLimit(name=name, rate=rate, burst=burst, amount=amount)


async def take(house: House, *limits: pb.RateLimit, tenant: str = TENANT) -> pb.TakeResponse:
    return await house.limits.Take(pb.TakeRequest(tenant=tenant, limits=limits))


async def reserve(
    house: House,
    reservation_id: str,
    amount: int,
    *,
    budget: str = "tokens",
    limit: int = 100,
    window: float = YEAR,
    ttl: float = 3600,
) -> pb.ReserveResponse:
    request = pb.ReserveRequest(
        tenant=TENANT,
        budget=budget,
        reservation_id=reservation_id,
        amount=amount,
        limit=limit,
        window=seconds(window),
        ttl=seconds(ttl),
    )
    return await house.limits.Reserve(request)


async def settle(house: House, reservation_id: str, amount: int, *, budget: str = "tokens") -> pb.SettleResponse:
    request = pb.SettleRequest(tenant=TENANT, budget=budget, reservation_id=reservation_id, amount=amount)
    return await house.limits.Settle(request)


async def release(house: House, reservation_id: str, *, budget: str = "tokens") -> bool:
    request = pb.ReleaseRequest(tenant=TENANT, budget=budget, reservation_id=reservation_id)
    return (await house.limits.Release(request)).applied


def in_seconds(duration: Duration) -> float:
    return duration.ToMicroseconds() / 1e6


async def test_a_bucket_grants_its_burst_and_then_says_when_to_come_again(house: House) -> None:
    """Ten at once, and the eleventh a thousand seconds later, to the microsecond that has passed meanwhile."""
    began = time.monotonic()
    for _ in range(10):
        assert (await take(house, bucket())).granted
    denied = await take(house, bucket())
    passed = time.monotonic() - began
    assert not denied.granted
    assert denied.limit_name == "calls"
    assert 1000 - passed - 0.01 <= in_seconds(denied.retry_after) <= 1000


async def test_who_waits_as_long_as_told_is_granted(house: House) -> None:
    """The time told is enough, also at rates that no binary fraction holds."""
    limit = bucket(rate=1 / 0.03, burst=3, amount=2.1)
    assert (await take(house, limit)).granted
    for _ in range(3):
        while (denied := await take(house, limit)).granted:
            pass  # on a slow machine the bucket has filled meanwhile
        assert in_seconds(denied.retry_after) < 0.2
        await asyncio.sleep(in_seconds(denied.retry_after))  # time itself is waited for, and sends no event
        assert (await take(house, limit)).granted


async def test_of_several_limits_all_grant_or_none_loses_a_token(house: House) -> None:
    """A denied request costs nothing at the limits that would have granted it."""
    assert (await take(house, bucket("narrow", burst=1))).granted
    for _ in range(3):
        denied = await take(house, bucket("wide", burst=2), bucket("narrow", burst=1))
        assert (denied.granted, denied.limit_name) == (False, "narrow")
    assert (await take(house, bucket("wide", burst=2, amount=2))).granted


async def test_the_limit_that_takes_longest_is_named(house: House) -> None:
    """Coming again when the first of two has filled would be in vain."""
    quick, slow = bucket("quick", rate=1, burst=1), bucket("slow", rate=0.01, burst=1)
    assert (await take(house, slow, quick)).granted
    for order in ((quick, slow), (slow, quick)):
        denied = await take(house, *order)
        assert denied.limit_name == "slow"
        assert 90 < in_seconds(denied.retry_after) <= 100


async def test_more_than_the_burst_is_never_granted_and_no_time_is_told(house: House) -> None:
    """Nobody is sent away with a time after which the answer would be the same."""
    denied = await take(house, bucket("other"), bucket(burst=5, amount=6))
    assert not denied.granted
    assert denied.limit_name == "calls"
    assert not denied.HasField("retry_after")
    assert (await take(house, bucket("other", amount=10))).granted


async def test_a_change_of_burst_takes_effect_at_once(house: House) -> None:
    """What was taken stays taken: a wider bucket has the difference, a narrower one waits for it."""
    assert (await take(house, bucket(burst=10, amount=10))).granted
    assert not (await take(house, bucket(burst=10))).granted
    assert (await take(house, bucket(burst=15, amount=5))).granted
    assert not (await take(house, bucket(burst=15))).granted


async def test_a_burst_and_rate_that_became_tiny_hold_nobody_up(house: House) -> None:
    """What was taken under the larger ones takes ages to come back; the answer says so at once, and in bounds."""
    assert (await take(house, bucket(rate=1, burst=1883.533035837389, amount=1883.533035837389))).granted
    tiny = bucket(rate=8.232017714715702e-08, burst=9.442936764176702e-05, amount=1.5877820943924e-05)
    async with asyncio.timeout(5):
        denied = await take(house, tiny)
    assert not denied.granted
    assert 10 * YEAR < in_seconds(denied.retry_after) < 21 * YEAR


async def test_a_tenant_never_uses_up_the_bucket_of_another(house: House) -> None:
    """Names belong to their tenant."""
    assert (await take(house, bucket(amount=10))).granted
    assert (await take(house, bucket(amount=10), tenant="other")).granted


async def test_many_at_once_get_no_more_than_burst_and_rate_allow(house: House) -> None:
    """Two hundred callers of one bucket get its burst and what time has added, and not one token more."""
    limit = bucket(rate=50, burst=20)
    began = time.monotonic()

    async def caller() -> int:
        return sum([(await take(house, limit)).granted for _ in range(5)])

    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(caller()) for _ in range(40)]
    granted = sum(task.result() for task in callers)
    allowed = 20 + 50 * (time.monotonic() - began)
    assert 20 <= granted <= allowed


async def test_a_budget_is_set_aside_settled_and_given_back(house: House) -> None:
    """What is left counts what was used and what is held."""
    assert (await reserve(house, "a", 60)).remaining == 40
    denied = await reserve(house, "b", 41)
    assert (denied.granted, denied.remaining) == (False, 40)
    assert 0 < in_seconds(denied.retry_after) <= YEAR
    assert (await settle(house, "a", 10)).remaining == 90
    assert (await reserve(house, "b", 41)).remaining == 49
    assert await release(house, "b")
    assert (await reserve(house, "c", 90)).remaining == 0


async def test_repeats_of_a_reservation_change_nothing(house: House) -> None:
    """Each call with the same id is answered as the first time, so that a lost answer costs nothing."""
    for _ in range(3):
        response = await reserve(house, "a", 60)
        assert (response.granted, response.remaining) == (True, 40)
    for amount in (10, 10, 99):
        settled = await settle(house, "a", amount)
        assert (settled.applied, settled.remaining) == (True, 90)
    assert not await release(house, "a")
    assert (await reserve(house, "a", 60)).remaining == 90
    assert (await reserve(house, "b", 90)).granted
    for _ in range(2):
        assert await release(house, "b")
    assert not (await settle(house, "b", 5)).applied
    late = await reserve(house, "b", 90)
    assert (late.granted, late.remaining) == (True, 90)


async def test_more_than_the_limit_is_never_set_aside_and_no_time_is_told(house: House) -> None:
    """A budget of nothing is one too."""
    for limit in (0, 9):
        denied = await reserve(house, "a", 10, limit=limit)
        assert (denied.granted, denied.remaining) == (False, limit)
        assert not denied.HasField("retry_after")


async def test_a_settlement_may_be_more_than_was_reserved(house: House) -> None:
    """What was really used counts, and what is left is never below nothing."""
    assert (await reserve(house, "a", 10)).granted
    settled = await settle(house, "a", 500)
    assert (settled.applied, settled.remaining) == (True, 0)
    assert not (await reserve(house, "b", 1)).granted


async def test_unknown_reservations_are_told(house: House) -> None:
    """Neither settling nor giving back makes one up, and the names of another budget are unknown too."""
    assert (await reserve(house, "a", 10, budget="other")).granted
    settled = await settle(house, "a", 5)
    assert (settled.applied, settled.remaining) == (False, 0)
    assert not await release(house, "a")


@pytest.fixture
async def unswept(kind: Kind, settings: StateSettings) -> AsyncGenerator[House]:
    """A house in which nothing but the calls themselves looks at the time."""
    async with open_house(replace(settings, sweep_seconds=3600), over_tcp=kind.over_tcp) as house:
        yield house


async def test_a_forgotten_reservation_is_given_back(unswept: House) -> None:
    """After its time nobody holds it, and what it was comes too late."""
    house = unswept

    async def forgotten(pace: Pace, number: int) -> None:
        budget = f"tokens-{number}"
        pace.step()
        assert (await reserve(house, "a", 100, budget=budget, ttl=1)).granted
        pace.step()
        assert not (await reserve(house, "b", 1, budget=budget)).granted
        pace.rest()
        async with asyncio.timeout(10):
            while not (await reserve(house, "b", 100, budget=budget)).granted:  # noqa: ASYNC110 - time itself is waited for
                await asyncio.sleep(0.02)
        assert not (await settle(house, "a", 100, budget=budget)).applied
        assert (await settle(house, "b", 0, budget=budget)).remaining == 100

    await in_time(1.0, forgotten)


async def test_a_budget_begins_anew_with_its_window(unswept: House) -> None:
    """What was used in the last window is past, also what is settled of it later."""
    house = unswept
    assert (await reserve(house, "a", 100, window=1)).granted
    async with asyncio.timeout(5):
        while not (response := await reserve(house, "b", 100, window=1)).granted:
            assert in_seconds(response.retry_after) <= 1
            await asyncio.sleep(in_seconds(response.retry_after))  # time itself is waited for, and sends no event
    assert (await settle(house, "a", 100)).applied


async def test_many_at_once_never_reserve_more_than_the_budget(house: House) -> None:
    """A hundred callers share it to the last unit."""
    async with asyncio.TaskGroup() as group:
        callers = [group.create_task(reserve(house, f"r{number}", 3)) for number in range(100)]
    granted = [task.result() for task in callers if task.result().granted]
    assert len(granted) == 33
    assert min(response.remaining for response in granted) == 1


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        (pb.RateLimit(rate=1, burst=1, amount=1), "name"),
        (pb.RateLimit(name="é" * 129, rate=1, burst=1, amount=1), "name"),
        (pb.RateLimit(name="a\0", rate=1, burst=1, amount=1), "name"),
        (bucket(rate=0), "rate"),
        (bucket(rate=-1), "rate"),
        (bucket(rate=float("nan")), "rate"),
        (bucket(rate=float("inf")), "rate"),
        (bucket(burst=-1), "burst"),
        (bucket(burst=float("nan")), "burst"),
        (bucket(rate=1e-6, burst=1e9), "burst"),
        (bucket(amount=0), "amount"),
        (bucket(amount=float("inf")), "amount"),
        (bucket(amount=float("nan")), "amount"),
    ],
)
async def test_a_rate_limit_out_of_bounds_is_named(house: House, limit: pb.RateLimit, field: str) -> None:
    """Numbers that are none, too big or too small are refused with their place."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await take(house, bucket("good"), limit)
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [f"limits[1].{field}"]


async def test_odd_requests_for_tokens_are_refused(house: House) -> None:
    """No limit, too many, or one twice."""
    for limits, field in (
        ([], "limits"),
        ([bucket(str(number)) for number in range(17)], "limits"),
        ([bucket(), bucket()], "limits[1].name"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await take(house, *limits)
        error = error_of(raised.value)
        assert isinstance(error, InvalidArgument)
        assert [violation.field for violation in error.violations] == [field]


async def test_odd_reservations_are_refused(house: House) -> None:
    """All that is wrong is said at once, each with its field."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await reserve(house, "", 0, budget="", limit=2**54, window=0.5, ttl=-1)
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    fields = [violation.field for violation in error.violations]
    assert fields == ["budget", "reservation_id", "amount", "limit", "window", "ttl"]
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await settle(house, "a", 2**53 + 1)
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == ["amount"]
