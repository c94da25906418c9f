"""Names of values on Redis: those of nothing go, and no value is without its name."""

import asyncio

import pytest

from penstock.state.open_store import open_store
from penstock.state.redis.name_index import NameIndex
from penstock.state.settings import StateSettings
from penstock.state.stores import Store, ValueQuery
from penstock.v1.state_pb2 import CompareAndSetValueRequest, DeleteValueRequest, Expiry, SetValueRequest
from penstock.wire.errors import Unavailable
from tests.state.entries import TENANT, seconds
from tests.state.redis.aged import Aged, aged, sweep
from tests.state.redis.links import linked
from tests.stores.proxy import proxy_to

__all__ = ["aged"]


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
