"""A server that is full: it takes nothing new, and whatever makes room there goes on, or it would be full for ever."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import pytest

from penstock.state.redis.keys import Keys
from penstock.state.settings import StateSettings
from penstock.v1 import session_pb2, state_pb2
from penstock.wire.errors import ResourceExhausted, Unavailable
from tests.state import entries as e
from tests.state.house import House, error_of, open_house
from tests.state.subscriber import publish, subscriber
from tests.stores.server import ValkeyServer, serving

AT_ONCE = 1e-6


class Bounded:
    """Represents a server whose memory can be used up, and given room again."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server

    @asynccontextmanager
    async def process(self, **changes: float) -> AsyncGenerator[House]:
        """A state process that only the test itself sweeps, and in which nothing goes unless the changes say so."""
        kept = {"sweep_seconds": 3600.0, "log_retention": 0.0, "run_retention": 0.0, "session_ttl": 0.0}
        retention = {"topic_retention": 0.0, **kept, **changes}
        async with open_house(StateSettings(url=self.server.url, lifecycle_topic="", **retention)) as house:
            yield house

    def fill(self) -> None:
        """Has the server's memory be used up."""
        self.server.command("CONFIG", "SET", "maxmemory", 1)

    def lengths(self, kind: str) -> list[int]:
        """The lengths of all streams of a kind."""
        return [self.server.command("XLEN", key) for key in self.server.all_keys(f"*:{kind}")]

    def make_due(self, kind: str) -> None:
        """Has the minute pass after which names of a kind are looked at."""
        due = Keys().tag("i", kind, e.TENANT).key("due")
        for name in self.server.command("ZRANGE", due, 0, -1):
            self.server.command("ZADD", due, 0, name)


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[Bounded]:
    """An empty server."""
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        yield Bounded(server)


async def sweep(house: House) -> None:
    """Sweeps all, without an error."""
    async with asyncio.timeout(10):
        while await house.layer.store.sweep():
            pass


async def sweep_when_there(house: House) -> None:
    """Sweeps again and again while the server is away."""
    async with asyncio.timeout(10):
        while True:
            with suppress(Unavailable):
                await house.layer.store.sweep()


async def refused(house: House) -> None:
    """Sees that nothing new is taken."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await house.values.SetValue(state_pb2.SetValueRequest(tenant=e.TENANT, key="new", data=b"x"))
    error = error_of(raised.value)
    assert isinstance(error, ResourceExhausted)
    assert error.reason == "STORE_FULL"


async def test_what_callers_give_up_goes(bounded: Bounded) -> None:
    """Values are deleted, sessions dropped, and events acknowledged; a stream gives back what it had."""
    async with bounded.process() as house:
        await house.values.SetValue(state_pb2.SetValueRequest(tenant=e.TENANT, key="k", data=b"x"))
        said = session_pb2.AppendMessagesRequest(tenant=e.TENANT, session_id="s", messages=[e.message("m")])
        await house.sessions.AppendMessages(said)
        await publish(house.events, "one", "two", tenant=e.TENANT)
        async with subscriber(house.events, tenant=e.TENANT, group="g", from_position=0) as member:
            await member.some(2)
            bounded.fill()
            await refused(house)
            deleted = await house.values.DeleteValue(state_pb2.DeleteValueRequest(tenant=e.TENANT, key="k"))
            assert deleted.deleted
            dropped = await house.sessions.DropSession(session_pb2.DropSessionRequest(tenant=e.TENANT, session_id="s"))
            assert dropped.outcome == session_pb2.DropOutcome.DROP_OUTCOME_DROPPED
            assert await member.acknowledge(1) == []
        bounded.server.command("CONFIG", "SET", "maxmemory", 0)
        async with subscriber(house.events, tenant=e.TENANT, group="g") as next_member:
            assert (await next_member.next()).position == 2
        for found in (
            (await house.values.GetValue(state_pb2.GetValueRequest(tenant=e.TENANT, key="k"))).HasField("value"),
            (
                await house.sessions.ReadSession(session_pb2.ReadSessionRequest(tenant=e.TENANT, session_id="s"))
            ).HasField("session"),
        ):
            assert not found


async def test_what_time_takes_goes(bounded: Bounded) -> None:
    """Old events of topics, logs and runs that ended long ago, and sessions that nobody uses."""
    async with bounded.process(session_ttl=AT_ONCE) as house:
        await e.lease(house)
        for run in ("ended", "older"):
            await e.record(house, e.record_entry(run, session="" if run == "older" else "s"))
            await e.append_events(house, run, *(e.token("t") for _ in range(3)))
            await e.append_events(house, run, e.step_finished(), e.run_finished())
        await publish(house.events, "one", "two", tenant=e.TENANT)
    bounded.make_due("topics")
    bounded.fill()
    assert bounded.server.all_keys("*:messages")
    async with bounded.process(topic_retention=AT_ONCE, log_retention=AT_ONCE) as house:
        await refused(house)
        await sweep(house)
        assert bounded.lengths("events") == [0]
        assert bounded.lengths("log") == [1, 1]
    async with bounded.process(session_ttl=AT_ONCE, run_retention=AT_ONCE) as house:
        await sweep(house)
        assert bounded.lengths("log") == []
        assert bounded.server.all_keys("*:messages") == []


async def test_names_that_find_no_room_do_not_hold_up_what_goes(bounded: Bounded) -> None:
    """After a connection was lost, the names listed last are listed again, which a full server refuses each time."""
    async with bounded.process(topic_retention=AT_ONCE) as house:
        await publish(house.events, "one", tenant=e.TENANT)
        bounded.make_due("topics")
        bounded.fill()
        bounded.server.cut_connections()
        with pytest.raises(ResourceExhausted):
            await sweep_when_there(house)
        assert bounded.lengths("events") == [0]
