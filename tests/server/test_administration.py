"""Where the store is administered: beside its file, for whom the file is open to, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import grpc
import pytest

from penstock.server.address import Address
from penstock.server.administration import admin_address
from penstock.server.assemble import open_mesh
from penstock.server.host import NotListening
from penstock.server.option import ConfigError
from penstock.v1.state_admin_pb2 import GetStoreStatsRequest
from penstock.v1.state_admin_pb2_grpc import StateAdminServiceStub

from .conftest import Configure, Connect


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose path leaves room for a socket's name."""
    return tmp_path_factory.mktemp("a")


async def test_the_socket_stands_beside_the_file_and_is_its_owner_s(
    configure: Configure, connect: Connect, short: Path
) -> None:
    """Nobody needs to set anything, nobody else may open it, and one that a crash left behind is no hindrance."""
    file = short / "s.db"
    socket = short / "s.db.admin"
    config = configure(state=f"sqlite:///{file}")
    for _ in range(2):
        async with asyncio.timeout(20), open_mesh(config) as mesh:
            assert mesh.admin == Address(path=str(socket))
            assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
            stats = await StateAdminServiceStub(connect(mesh.admin)).GetStoreStats(GetStoreStatsRequest())
            assert stats.place == str(file)
            os.link(socket, short / "left")
        os.rename(short / "left", socket)


async def test_a_socket_at_which_another_process_listens_is_left_to_it(
    configure: Configure, connect: Connect, short: Path
) -> None:
    """The second is told, and the first goes on to be reached."""
    where = f"unix:{short}/admin"
    first = configure(state=f"sqlite:///{short}/1.db", admin_listen=where)
    second = configure(state=f"sqlite:///{short}/2.db", admin_listen=where)
    async with asyncio.timeout(20), open_mesh(first) as mesh:
        with pytest.raises(NotListening, match="another process does"):
            async with open_mesh(second):
                pass
        assert mesh.admin is not None
        stats = await StateAdminServiceStub(connect(mesh.admin)).GetStoreStats(GetStoreStatsRequest())
        assert stats.place == f"{short}/1.db"


async def test_the_other_listeners_do_not_know_the_service(configure: Configure, connect: Connect) -> None:
    """Neither strangers at the door nor the layers of other processes reach it."""
    config = configure(inner_listen="127.0.0.1:0", admin_listen="127.0.0.1:0")
    async with asyncio.timeout(20), open_mesh(config) as mesh:
        assert mesh.admin is not None
        for listener in mesh.listeners:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await StateAdminServiceStub(connect(listener.address)).GetStoreStats(GetStoreStatsRequest())
            assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
        await StateAdminServiceStub(connect(mesh.admin)).GetStoreStats(GetStoreStatsRequest())


@pytest.mark.parametrize("address", ["0.0.0.0:50059", "[::]:50059", "192.0.2.1:50059", "db.example:50059", "50059", ""])
def test_an_address_that_other_machines_could_reach_is_refused(configure: Configure, address: str) -> None:
    """Before anything starts, with what to write instead."""
    with pytest.raises(ConfigError, match="admin_listen"):
        configure(admin_listen=address)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.8.8.8:50059", "[::1]:50059", "localhost:50059", "unix:/x"])
def test_an_address_of_this_machine_is_taken(configure: Configure, address: str) -> None:
    """Loopback and sockets, however they are written."""
    assert admin_address(configure(admin_listen=address)) == Address.parse(address)


def test_where_there_is_no_file_or_no_store_there_is_no_socket(configure: Configure, tmp_path: Path) -> None:
    """On Redis, without the state layer, switched off, and where the path would be longer than systems allow."""
    assert admin_address(configure(state="redis://127.0.0.1:6379")) is None
    assert admin_address(configure(layers="tools")) is None
    assert admin_address(configure(admin_listen="none")) is None
    deep = tmp_path / ("d" * 100) / "s.db"
    assert admin_address(configure(state=f"sqlite:///{deep}")) is None
    assert admin_address(configure(state="sqlite:///s%20t.db")) == Address(path="s t.db.admin")


async def test_an_address_that_was_asked_for_must_be_had(configure: Configure, short: Path) -> None:
    """The default socket may be missing; one's own choice may not."""
    with pytest.raises(NotListening):
        async with asyncio.timeout(20), open_mesh(configure(admin_listen=f"unix:{short}/none/x")):
            pass
    file = short / "t.db"
    (short / "t.db.admin").mkdir()
    async with asyncio.timeout(20), open_mesh(configure(state=f"sqlite:///{file}")) as mesh:
        assert mesh.admin is None
