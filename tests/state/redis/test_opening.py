"""The look before the start: each server that can't be used is refused with one text that says how to mend it."""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from penstock.state.open_store import open_store
from penstock.state.redis.opening import SCHEMA
from penstock.state.settings import StateSettings
from tests.stores.cluster import ValkeyCluster
from tests.stores.ports import free_ports
from tests.stores.replicated import replicated
from tests.stores.server import ValkeyServer, serving

PASSWORD = "hunter2"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A server that wants a password."""
    server = ValkeyServer(tmp_path_factory.mktemp("strict"), password=PASSWORD)
    with serving(server):
        yield server


async def refusal(url: str) -> str:
    """Opens a store that can't be, and returns what is said."""
    with pytest.raises(ValueError, match=r".") as raised:
        async with asyncio.timeout(30), open_store(StateSettings(url=url)):
            pass
    text = str(raised.value)
    assert PASSWORD not in text
    assert "\n" not in text
    return text


@asynccontextmanager
async def served(protocol: type[asyncio.Protocol]) -> AsyncGenerator[int]:
    """Serves something else than a Redis for the block, and gives its port."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def test_an_address_where_nobody_listens(valkey: ValkeyServer) -> None:
    """Also when the name is unknown."""
    (port,) = free_ports(1)
    text = await refusal(f"redis://127.0.0.1:{port}")
    assert f"127.0.0.1:{port} can't be reached: connection refused" in text
    assert "is Redis running" in text
    assert "no such host" in await refusal("redis://no-such-host.invalid")


async def test_a_missing_extra_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its packages: the name penstock belongs to another project on PyPI."""
    for name in [name for name in sys.modules if name.startswith("penstock.state.redis.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hiredis", None)
    with pytest.raises(ValueError, match=r"needs hiredis, .*: pip install 'redis\[hiredis\]"):
        open_store(StateSettings(url="redis://127.0.0.1"))


async def test_a_server_that_has_as_many_clients_as_it_takes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says so before it is asked anything."""
    server = ValkeyServer(tmp_path)
    with serving(server), ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        server.command("CONFIG", "SET", "maxclients", 3)
        for _ in range(20):
            assert "raise its maxclients" in await refusal(server.url)
    assert caplog.records == []


async def test_a_password_that_is_missing_or_wrong(strict: ValkeyServer) -> None:
    """Each is told apart; the right one opens."""
    assert "wants a password" in await refusal(f"redis://{strict.address}")
    assert "does not accept the password given for the default user" in await refusal(
        f"redis://:{PASSWORD}x@{strict.address}"
    )
    assert "for user 'bob'" in await refusal(f"redis://bob:{PASSWORD}@{strict.address}")
    async with open_store(StateSettings(url=strict.url)) as store:
        assert "wrote and read" in await store.check()


async def test_a_user_that_may_not_do_what_is_needed(strict: ValkeyServer) -> None:
    """The missing commands are named, with the rights to give; with these rights and no others it opens."""
    strict.command("ACL", "SETUSER", "weak", "on", f">{PASSWORD}", "~penstock:*", "&*", "+@all", "-zadd", "-xtrim")
    url = f"redis://weak:{PASSWORD}@{strict.address}"
    text = await refusal(url)
    assert "does not let weak use XTRIM, ZADD;" in text
    rights = text.split("ACL SETUSER weak ")[1].split()
    strict.command("ACL", "SETUSER", "weak", "reset", "on", f">{PASSWORD}", *rights)
    async with open_store(StateSettings(url=url)) as store:
        await store.check()
    strict.command("ACL", "SETUSER", "weak", "resetkeys", "~other:*")
    assert "does not let weak use keys that begin with penstock:" in await refusal(url)


async def test_scripts_that_are_disabled(strict: ValkeyServer) -> None:
    """Nothing works without them."""
    strict.command("ACL", "SETUSER", "mute", "on", f">{PASSWORD}", "~*", "&*", "+@all", "-@scripting")
    assert "does not run scripts" in await refusal(f"redis://mute:{PASSWORD}@{strict.address}")


async def test_scripts_that_have_another_name(tmp_path: Path) -> None:
    """As some providers do."""
    server = ValkeyServer(tmp_path, options=["--rename-command", "EVAL", "HIDDEN"])
    with serving(server):
        text = await refusal(server.url)
    assert "does not run scripts" in text
    assert "rename-command of EVAL" in text


async def test_a_server_that_would_drop_keys(strict: ValkeyServer) -> None:
    """Any policy but noeviction loses what was acknowledged."""
    for policy in ("allkeys-lru", "volatile-ttl"):
        strict.command("CONFIG", "SET", "maxmemory-policy", policy)
        text = await refusal(strict.url)
        assert f"drops keys when it is full (maxmemory-policy {policy})" in text
    strict.command("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_cluster_under_a_standalone_address_and_the_reverse(
    valkey: ValkeyServer, valkey_cluster: ValkeyCluster
) -> None:
    """The right scheme is told."""
    assert "write redis+cluster:// instead" in await refusal(valkey_cluster.servers[0].url)
    assert "write redis:// instead" in await refusal(f"redis+cluster://{valkey.address}")


async def test_a_replica_and_what_replicas_are_asked_for(tmp_path: Path) -> None:
    """A replica takes no writes; REPLICA needs one, now or announced."""
    with replicated(tmp_path, replicas=1) as (primary, replica):
        assert "is a replica, and takes no writes" in await refusal(replica.url)
        async with open_store(StateSettings(url=f"{primary.url}?durability=replica")):
            pass
        replica.command("REPLICAOF", "NO", "ONE")
        primary.wait_until(lambda: primary.info("replication")["connected_slaves"] == "0", "lose its replica")
        assert "?replicas=N" in await refusal(f"{primary.url}?durability=replica")
        async with open_store(StateSettings(url=f"{primary.url}?durability=replica&replicas=1")):
            pass


async def test_power_that_the_server_does_not_keep(valkey: ValkeyServer, tmp_path: Path) -> None:
    """Only a file that is synced at each write survives the loss of power."""
    assert "appendfsync always" in await refusal(f"{valkey.url}?durability=power")
    server = ValkeyServer(tmp_path, aof="always")
    with serving(server):
        async with open_store(StateSettings(url=f"{server.url}?durability=power")):
            pass


async def test_data_of_a_newer_program_or_of_another(strict: ValkeyServer) -> None:
    """A store is marked when it is made; what is there already is not touched."""
    async with open_store(StateSettings(url=f"{strict.url}?namespace=mine")):
        pass
    assert strict.command("GET", "penstock:mine:schema") == b"%d" % SCHEMA
    strict.command("SET", "penstock:mine:schema", SCHEMA + 1)
    text = await refusal(f"{strict.url}?namespace=mine")
    assert f"schema version {SCHEMA + 1}" in text
    assert "run a newer penstock" in text
    strict.command("SET", "penstock:mine:schema", "apples")
    assert "choose another ?namespace=NAME" in await refusal(f"{strict.url}?namespace=mine")


async def test_a_server_that_is_too_old() -> None:
    """Found by its own words, before anything else of it is used."""
    info = b"# Server\r\nredis_version:6.2.14\r\nrun_id:x\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n"

    class Old(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast("asyncio.Transport", transport)

        def data_received(self, data: bytes) -> None:
            self.transport.write(
                b"$%d\r\n%b\r\n" % (len(info), info) if b"INFO" in data else b"-ERR unknown command\r\n"
            )

    async with served(Old) as port:
        text = await refusal(f"redis://127.0.0.1:{port}")
    assert "runs Redis 6.2.14, which is too old; run Redis 7.0 or Valkey" in text


async def test_tls_where_there_is_none(valkey: ValkeyServer) -> None:
    """And what closes the connection at the first word."""
    assert "TLS" in await refusal(f"rediss://{valkey.address}")

    class HangUp(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.close()

    async with served(HangUp) as port:
        assert "write rediss://" in await refusal(f"redis://127.0.0.1:{port}")
