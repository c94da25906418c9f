"""The means of the tests themselves: what they break must break as they say."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as Late

from tests.stores.proxy import Proxy, proxy_to
from tests.stores.server import ValkeyServer


def client_of(proxy: Proxy) -> Redis:
    host, _, port = proxy.address.rpartition(":")
    return Redis(host=host, port=int(port), socket_timeout=5, retry=None, protocol=2)


async def test_a_lost_answer_leaves_what_was_done(valkey: ValkeyServer) -> None:
    """The server has done what was asked, and the caller hears of a broken connection."""
    async with proxy_to(valkey.address) as proxy, client_of(proxy) as client, asyncio.TaskGroup() as group:
        await client.set("lost", "before")
        loss = proxy.lose_answer(lambda piece: b"after" in piece)
        asked = group.create_task(_outcome(client, "SET", "lost", "after"))
        async with asyncio.timeout(5):
            await loss.cut()
        assert await asked is Lost
        assert await client.get("lost") == b"after"


async def _outcome(client: Redis, *command: str) -> type[Exception] | None:
    try:
        await client.execute_command(*command)
    except (Lost, Late) as error:
        return type(error)
    return None


async def test_a_cut_breaks_what_is_connected_and_lets_new_ones_through(valkey: ValkeyServer) -> None:
    """A refusing proxy breaks the new ones too, until it accepts again."""
    async with proxy_to(valkey.address) as proxy, client_of(proxy) as client:
        await client.ping()
        proxy.cut()
        assert await _outcome(client, "PING") in (Lost, None)  # the pool may have seen the break before
        await client.ping()
        proxy.refuse()
        assert await _outcome(client, "PING") is Lost
        proxy.accept()
        await client.ping()


async def test_a_stall_holds_back_and_loses_nothing(valkey: ValkeyServer) -> None:
    """What was sent meanwhile is done after."""
    async with proxy_to(valkey.address) as proxy, client_of(proxy) as client, asyncio.TaskGroup() as group:
        await client.ping()
        proxy.stall()
        asked = group.create_task(client.incr("stalled"))
        done, _ = await asyncio.wait([asked], timeout=0.1)
        assert not done
        proxy.resume()
        async with asyncio.timeout(5):
            assert await asked == 1


@pytest.mark.parametrize("aof", ["everysec", "always"])
async def test_a_killed_server_with_a_log_comes_back_with_what_it_had(tmp_path: Path, aof: str) -> None:
    """At the same address, as another process."""
    server = ValkeyServer(tmp_path, aof=aof)  # type: ignore[arg-type] # one of the literals
    try:
        await asyncio.to_thread(server.start)
        server.command("SET", "kept", "1")
        before = server.info("server")["run_id"]
        await asyncio.to_thread(server.restart)
        assert server.command("GET", "kept") == b"1"
        assert server.info("server")["run_id"] != before
    finally:
        server.kill()
