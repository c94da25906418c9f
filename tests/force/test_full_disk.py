"""A store without room refuses what it can't keep, shows what it has, and goes on when there is room again."""

import sqlite3
from pathlib import Path

import grpc
import grpc.aio
import pytest

from penstock.client import Client, RunState, errors
from penstock.v1.run_log_pb2 import AppendEventsRequest, AppendEventsResult, AppendOutcome
from penstock.wire.status import from_rpc_error
from tests.force.following import read_whole
from tests.force.polling import until
from tests.force.replica import Door, open_replicas
from tests.force.small_disk import MEBIBYTE, room, small_disk
from tests.force.small_mesh import small_mesh
from tests.state import entries as e
from tests.stores.server import ValkeyServer, serving

KIBIBYTES = 64


async def append_numbered(door: Door, number: int) -> AppendEventsResult:
    """Appends a token of 64 KiB that says its number."""
    entry = e.append_entry("run-1", e.token(f"{number} ".ljust(KIBIBYTES * 1024, ".")), number=number)
    return (await door.log.AppendEvents(AppendEventsRequest(entries=[entry]))).results[0]


async def fill(door: Door, most: int) -> int:
    """Appends until the store has no room; returns how many entries it took."""
    for number in range(1, most):
        try:
            result = await append_numbered(door, number)
        except grpc.aio.AioRpcError as error:
            refused = from_rpc_error(error)
            if (error.code(), refused.reason) != (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL"):
                raise
            return number - 1
        assert result.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED
    raise AssertionError(f"{most} entries fitted")


async def shows(door: Door, entries: int) -> None:
    """Checks that the log has exactly the entries that were taken."""
    _, log = await read_whole(door, "run-1")
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    assert [event.token.text.split()[0] for event in log[2:]] == [f"{number}" for number in range(1, entries + 1)]


@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_a_full_disk_stops_writes_and_nothing_else(synchronous: str, tmp_path: Path) -> None:
    """Over SQLite: STORE_FULL again and again, reads as before; with room again it goes on, and the file is sound."""
    with small_disk(tmp_path / "disk", 24) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(8 * MEBIBYTE))
        url = f"sqlite:///{disk}/state.db?synchronous={synchronous}"
        async with open_replicas([url], tmp_path) as (replica,):
            door = replica.door
            await e.lease(door)
            await e.record(door, e.record_entry("run-1"))
            taken = refusals = 0
            # What it clears away may give a little room again: full is when it refuses time after time.
            while refusals < 5:
                reason = await refused(door, taken + 1)
                assert reason in (None, "STORE_FULL")
                taken, refusals = (taken + 1, 0) if reason is None else (taken, refusals + 1)
                if reason is not None:
                    await shows(door, taken)
            assert taken > 10
            ballast.unlink()
            result = await append_numbered(door, taken + 1)
            assert result.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED
            assert (await append_numbered(door, taken)).outcome == AppendOutcome.APPEND_OUTCOME_REPEATED
            await replica.crash()
            await shows(door, taken + 1)
            assert await replica.daemon.stop() == 0
        with sqlite3.connect(disk / "state.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


async def test_a_process_that_dies_on_a_full_disk_says_so_until_there_is_room(tmp_path: Path) -> None:
    """Killed while nothing could be written, it is refused with one clear text; with room it shows all it had taken."""
    with small_disk(tmp_path / "disk", 24) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(12 * MEBIBYTE))
        async with open_replicas([f"sqlite:///{disk}/state.db"], tmp_path) as (replica,):
            await e.lease(replica.door)
            await e.record(replica.door, e.record_entry("run-1"))
            taken = await fill(replica.door, 24 * 1024 // KIBIBYTES)
            await replica.daemon.kill()
            (disk / "more").write_bytes(bytes(room(disk)))
            said_before = len(replica.daemon.log.read_text())
            with pytest.raises(AssertionError, match="ended at once"):
                await replica.daemon.start()
            said = replica.daemon.log.read_text()[said_before:]
            assert "full" in said
            assert "make room" in said
            assert "Traceback" not in said
            ballast.unlink()
            await replica.daemon.start()
            await shows(replica.door, taken)


async def test_a_full_redis_stops_writes_and_nothing_else(tmp_path: Path) -> None:
    """At its memory's limit it gives STORE_FULL again and again, and reads as before; with room again it goes on."""
    server = ValkeyServer(tmp_path / "valkey", options=["--maxmemory", "24mb", "--maxmemory-policy", "noeviction"])
    with serving(server):
        async with open_replicas([server.url] * 2, tmp_path) as (replica, other):
            door = replica.door
            await e.lease(door)
            await e.record(door, e.record_entry("run-1"))
            taken = await fill(door, 24 * 1024 // KIBIBYTES)
            assert taken > 10
            for each in (door, other.door, door):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await append_numbered(each, taken + 1)
                assert from_rpc_error(refused.value).reason == "STORE_FULL"
                await shows(each, taken)
            server.command("CONFIG", "SET", "maxmemory", "0")
            for each in (other.door, door):
                result = await append_numbered(each, taken + 1)
                assert (result.outcome == AppendOutcome.APPEND_OUTCOME_APPENDED) == (each is other.door)
                assert (await append_numbered(each, taken)).outcome == AppendOutcome.APPEND_OUTCOME_REPEATED
                await shows(each, taken + 1)


async def test_a_redis_on_a_full_disk_stops_writes_and_nothing_else(tmp_path: Path) -> None:
    """A server that can't write its log refuses writes, which are told as such; with room again all goes on."""
    with small_disk(tmp_path / "disk", 8) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(4 * MEBIBYTE))
        server = ValkeyServer(disk / "valkey", aof="everysec")
        with serving(server):
            async with open_replicas([server.url], tmp_path) as (replica,):
                door = replica.door
                await e.lease(door)
                await e.record(door, e.record_entry("run-1"))
                taken = 0
                while (refusal := await refused(door, taken + 1)) is None:
                    taken += 1
                assert refusal in ("STORE_FULL", "STORE_UNAVAILABLE")
                await shows(door, taken)
                ballast.unlink()
                await until(lambda: is_taken(door, taken + 1))
                await shows(door, taken + 1)


async def is_taken(door: Door, number: int) -> bool | None:
    """Returns True once an entry is taken."""
    return True if await refused(door, number) is None else None


async def refused(door: Door, number: int) -> str | None:
    """Appends an entry, and returns the reason for which it was refused; None: it was taken."""
    try:
        await append_numbered(door, number)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason
    return None


async def test_the_door_of_a_mesh_over_a_full_redis_stays_open_to_readers(tmp_path: Path) -> None:
    """Runs are read as before, a new one is refused for what is the matter, and with room again all goes on."""
    server = ValkeyServer(tmp_path / "valkey")
    with serving(server):
        async with small_mesh(server.url, tmp_path, patience=0) as client:
            run = await client.execute_run("hello", agent="echo")
            server.command("CONFIG", "SET", "maxmemory", "1")
            assert await until(lambda: _only_reads(client))
            assert (await client.get_run(run.run_id)).state == RunState.RUN_STATE_SUCCEEDED
            assert [event.sequence async for event in client.attach_run(run.run_id)][-1] == run.last_sequence
            with pytest.raises(errors.ResourceExhausted) as refused:
                await client.create_run("hello", agent="echo")
            assert refused.value.reason == "STORE_FULL"
            server.command("CONFIG", "SET", "maxmemory", "0")
            assert (await client.execute_run("hello", agent="echo")).state == RunState.RUN_STATE_SUCCEEDED


async def _only_reads(client: Client) -> bool | None:
    """Tells that the state layer has noticed; None: not yet."""
    layers = (await client.get_status()).layers
    return any("can only be read" in str(layer) for layer in layers) or None
