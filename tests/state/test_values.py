"""Values: versions, conditions, times to live and lists."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import grpc.aio
import pytest

from penstock.state.clock import StoreClock
from penstock.v1 import state_pb2 as pb
from penstock.wire.errors import InvalidArgument
from tests.state.entries import TENANT, seconds
from tests.state.house import House, error_of


async def put(house: House, key: str, data: bytes = b"v", tenant: str = TENANT, **change: object) -> int:
    request = pb.SetValueRequest(tenant=tenant, key=key, data=data, **change)  # type: ignore[arg-type] # passed through
    return (await house.values.SetValue(request)).version


async def get(house: House, key: str, tenant: str = TENANT) -> pb.StoredValue | None:
    response = await house.values.GetValue(pb.GetValueRequest(tenant=tenant, key=key))
    return response.value if response.HasField("value") else None


async def swap(house: House, key: str, data: bytes = b"new", **condition: object) -> pb.CompareAndSetValueResponse:
    request = pb.CompareAndSetValueRequest(tenant=TENANT, key=key, data=data, **condition)  # type: ignore[arg-type] # passed through
    return await house.values.CompareAndSetValue(request)


async def delete(house: House, key: str, version: int = 0) -> pb.DeleteValueResponse:
    return await house.values.DeleteValue(pb.DeleteValueRequest(tenant=TENANT, key=key, version=version))


async def expired(house: House, key: str) -> None:
    """Waits until a value that expires has done so, by asking."""
    async with asyncio.timeout(5):
        while await get(house, key) is not None:  # noqa: ASYNC110 - time itself is waited for, and sends no event
            await asyncio.sleep(0.005)


async def test_a_value_is_kept_with_its_version_and_times(house: House) -> None:
    """Any bytes come back as they were, empty ones too."""
    version = await put(house, "k", b"\x00\xff")
    value = await get(house, "k")
    assert value is not None
    assert (value.key, value.data, value.version) == ("k", b"\x00\xff", version)
    assert value.create_time == value.update_time
    assert not value.HasField("expire_time")
    await put(house, "k", b"")
    changed = await get(house, "k")
    assert changed is not None
    assert changed.data == b""
    assert changed.version > version
    assert changed.create_time == value.create_time
    assert await get(house, "other") is None


async def test_a_stale_compare_and_set_loses_also_across_a_delete(house: House) -> None:
    """No version ever comes twice, so an old one never wins against a key made anew."""
    old = await put(house, "k")
    assert (await delete(house, "k")).deleted
    assert (await swap(house, "k", version_is=old)) == pb.CompareAndSetValueResponse(applied=False, version=0)
    assert await get(house, "k") is None
    new = await put(house, "k")
    assert new > old
    assert (await swap(house, "k", version_is=old)) == pb.CompareAndSetValueResponse(applied=False, version=new)
    assert (await swap(house, "k", version_is=new)).applied


async def test_versions_grow_when_the_clock_stands_still(house: House) -> None:
    """Many writes within one microsecond still get versions of their own, deletes included."""
    seen = []
    for _ in range(20):
        seen.append(await put(house, "k"))
        await delete(house, "k")
    assert seen == sorted(set(seen))


async def test_a_made_up_version_of_a_missing_key_loses(house: House) -> None:
    """Nothing is created by a version that never was."""
    for version in (0, 1, 1 << 60):
        assert not (await swap(house, "k", version_is=version)).applied
    assert await get(house, "k") is None


async def test_must_not_exist_and_must_exist_hold_for_one_of_many(house: House) -> None:
    """Of concurrent creators exactly one wins; must_exist never creates."""
    assert not (await swap(house, "k", must_exist=True)).applied
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(swap(house, "k", f"{number}".encode(), must_not_exist=True)) for number in range(20)]
    winners = [number for number, task in enumerate(tasks) if task.result().applied]
    assert len(winners) == 1
    value = await get(house, "k")
    assert value is not None
    assert value.data == f"{winners[0]}".encode()
    assert {task.result().version for task in tasks} == {value.version}
    assert (await swap(house, "k", must_exist=True)).applied


async def test_concurrent_increments_lose_none(house: House) -> None:
    """The classic race of read, change and conditional write."""
    await put(house, "n", b"0")

    async def add() -> None:
        for _ in range(10):
            while True:
                value = await get(house, "n")
                assert value is not None
                if (await swap(house, "n", b"%d" % (int(value.data) + 1), version_is=value.version)).applied:
                    break

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(add())
    value = await get(house, "n")
    assert value is not None
    assert value.data == b"80"


async def test_time_to_live_and_metadata_stay_unless_changed(house: House) -> None:
    """A write, conditional or not, that says nothing of them leaves them alone."""
    notes = pb.ValueMetadata(entries={"type": "text"})
    version = await put(house, "k", expiry=pb.Expiry(ttl=seconds(60)), metadata=notes)
    before = await get(house, "k")
    await swap(house, "k", version_is=version)
    await put(house, "k", b"third")
    after = await get(house, "k")
    assert before is not None
    assert after is not None
    assert after.expire_time == before.expire_time
    assert dict(after.metadata) == {"type": "text"}
    await put(house, "k", expiry=pb.Expiry(never=True), metadata=pb.ValueMetadata())
    bare = await get(house, "k")
    assert bare is not None
    assert not bare.HasField("expire_time")
    assert not bare.metadata


async def test_an_expired_value_is_gone_and_leaves_nothing_to_its_successor(house: House) -> None:
    """Neither reads, lists nor conditions see it; the next value has no old metadata and a newer version."""
    old = await put(house, "k", expiry=pb.Expiry(ttl=seconds(0.02)), metadata=pb.ValueMetadata(entries={"a": "b"}))
    await expired(house, "k")
    assert not (await house.values.ListValues(pb.ListValuesRequest(tenant=TENANT))).values
    assert not (await delete(house, "k")).deleted
    assert not (await swap(house, "k", version_is=old)).applied
    created = await swap(house, "k", must_not_exist=True)
    assert created.applied
    assert created.version > old
    value = await get(house, "k")
    assert value is not None
    assert not value.metadata
    assert not value.HasField("expire_time")


async def test_a_delete_can_be_bound_to_a_version(house: House) -> None:
    """A fresher value is not deleted by mistake."""
    old = await put(house, "k")
    new = await put(house, "k")
    assert (await delete(house, "k", old)) == pb.DeleteValueResponse(deleted=False, current_version=new)
    assert (await delete(house, "k", new)).deleted
    assert not (await delete(house, "k")).deleted


ODD_KEYS = ["%", "_", "a", "a%", "a%b", "a*", "a/b", "aa", "a_b", "aé", "a\U0010ffff", "b", "\U0001f600", " ", "a\x00b"]


@pytest.mark.parametrize("prefix", ["", "a", "a%", "a_", "a*", "%", "\U0010ffff", "a\U0010ffff", "é", "aé"])
async def test_a_list_has_exactly_the_keys_that_begin_so(house: House, prefix: str) -> None:
    """Byte for byte, in byte order, with no letter that means something else."""
    for key in ODD_KEYS:
        await put(house, key)
    found = await every(house, prefix, page_size=3)
    assert found == sorted((key for key in ODD_KEYS if key.startswith(prefix)), key=str.encode)


async def every(house: House, prefix: str, page_size: int) -> Sequence[str]:
    keys: list[str] = []
    token = ""
    while True:
        page = await house.values.ListValues(
            pb.ListValuesRequest(tenant=TENANT, prefix=prefix, page_size=page_size, page_token=token)
        )
        assert len(page.values) <= page_size
        keys.extend(value.key for value in page.values)
        token = page.next_page_token
        if not token:
            return keys


async def test_a_page_stops_at_its_size_and_may_leave_out_the_data(house: House) -> None:
    """Each page is at most about 1 MiB and holds at least one value."""
    for number in range(4):
        await put(house, f"k{number}", b"x" * 700_000)
    page = await house.values.ListValues(pb.ListValuesRequest(tenant=TENANT))
    assert [value.key for value in page.values] == ["k0"]
    assert page.next_page_token
    keys = await house.values.ListValues(pb.ListValuesRequest(tenant=TENANT, keys_only=True))
    assert [(value.key, value.data) for value in keys.values] == [(f"k{number}", b"") for number in range(4)]
    assert not keys.next_page_token


async def test_a_page_token_is_good_for_its_list_alone(house: House) -> None:
    """Damaged, made up, or of another prefix or tenant: INVALID_ARGUMENT."""
    for number in range(4):
        await put(house, f"k{number}")
    request = pb.ListValuesRequest(tenant=TENANT, prefix="k", page_size=2)
    token = (await house.values.ListValues(request)).next_page_token
    others = [
        pb.ListValuesRequest(tenant=TENANT, prefix="k", page_token=token[:-4] + "AAAA"),
        pb.ListValuesRequest(tenant=TENANT, prefix="k", page_token="k1"),
        pb.ListValuesRequest(tenant=TENANT, prefix="", page_token=token),
        pb.ListValuesRequest(tenant="other", prefix="k", page_token=token),
    ]
    for other in others:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await house.values.ListValues(other)
        error = error_of(raised.value)
        assert isinstance(error, InvalidArgument)
        assert error.violations[0].field == "page_token"


async def test_tenants_share_no_key(house: House) -> None:
    """The same key is another value for every tenant, also where tenant and key run together alike."""
    await put(house, "b:c", b"one", tenant="a")
    await put(house, "c", b"two", tenant="a:b")
    one, two = await get(house, "b:c", "a"), await get(house, "c", "a:b")
    assert one is not None
    assert two is not None
    assert (one.data, two.data) == (b"one", b"two")
    assert await get(house, "b:c", "a:b") is None
    assert len((await house.values.ListValues(pb.ListValuesRequest(tenant="a"))).values) == 1


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.SetValueRequest(tenant=TENANT, key=""), "key"),
        (pb.SetValueRequest(tenant=TENANT, key="é" * 513), "key"),
        (pb.SetValueRequest(tenant="a b", key="k"), "tenant"),
        (pb.SetValueRequest(tenant=TENANT, key="k", data=b"x" * (1024 * 1024 + 1)), "data"),
        (pb.SetValueRequest(tenant=TENANT, key="k", expiry=pb.Expiry(ttl=seconds(0))), "expiry.ttl"),
        (pb.SetValueRequest(tenant=TENANT, key="k", expiry=pb.Expiry()), "expiry"),
        (
            pb.SetValueRequest(tenant=TENANT, key="k", metadata=pb.ValueMetadata(entries={"a": "x" * 8192})),
            "metadata",
        ),
        (pb.CompareAndSetValueRequest(tenant=TENANT, key="k"), "precondition"),
        (pb.CompareAndSetValueRequest(tenant=TENANT, key="k", must_exist=False), "must_exist"),
        (pb.ListValuesRequest(tenant=TENANT, page_size=1001), "page_size"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_a_malformed_request_names_its_field(
    house: House, request_: pb.SetValueRequest | pb.CompareAndSetValueRequest | pb.ListValuesRequest, field: str
) -> None:
    """INVALID_ARGUMENT with the field, and nothing is written."""
    name = type(request_).__name__.removesuffix("Request")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await getattr(house.values, name)(request_)
    error = error_of(raised.value)
    assert isinstance(error, InvalidArgument)
    assert [violation.field for violation in error.violations] == [field]


def test_the_store_s_clock_neither_goes_back_nor_stands_still() -> None:
    """When the machine's clock is set back by an hour, elapsed time carries on; forwards it follows."""
    wall, elapsed = [3_600_000_000_000], [0]
    clock = StoreClock(lambda: wall[0], lambda: elapsed[0])
    start = clock.now_us()
    wall[0] -= 3_600_000_000_000
    elapsed[0] += 5_000_000
    assert clock.now_us() == start + 5_000
    elapsed[0] += 1_000_000
    assert clock.now_us() == start + 6_000
    wall[0] += 7_200_000_000_000
    assert clock.now_us() == start + 3_600_000_000


def test_the_clock_counts_no_interruption_twice() -> None:
    """A process that is stopped between a look at the one clock and at the other is not ahead of its time after."""
    now, stopped = 1_000_000_000_000, 0

    def look() -> int:
        nonlocal now, stopped
        seen, now, stopped = now, now + stopped, 0
        return seen

    clock = StoreClock(look, look)
    for _ in range(3):
        stopped = 2_000_000_000
        clock.now_us()
    assert clock.now_us() == now // 1000
