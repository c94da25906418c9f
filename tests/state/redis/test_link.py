"""The link: what is sent reaches the right server once, and what is not known is not acknowledged."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.state.redis.faults import RedisRefused, is_unclear
from penstock.state.redis.identity import may_have_lost
from penstock.state.redis.lane import ServerChanged
from penstock.state.redis.link import Link
from penstock.state.redis.scripts import Reply, Script
from penstock.v1.run_pb2 import Durability
from penstock.wire.errors import ResourceExhausted, Unavailable
from tests.state.redis.links import COUNT, ECHO, linked
from tests.stores.cluster import ValkeyCluster, cluster
from tests.stores.proxy import proxy_to
from tests.stores.replicated import replicated
from tests.stores.server import ValkeyServer, serving

KEY = b"penstock:{link}:counter"


async def until(holds: Callable[[], bool], within: float = 30.0) -> None:
    """Waits for another process, which sends no event of ours."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


def connected(link: Link) -> bool:
    """Tells whether there is a connection to who has the key."""
    try:
        link.server_of(KEY)
    except Unavailable:
        return False
    return True


async def works(link: Link, key: bytes = KEY, within: float = 60.0) -> None:
    """Writes until a write is acknowledged."""
    async with asyncio.timeout(within):
        while True:
            try:
                await link.run(COUNT, [key])
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                return


async def replicated_write(link: Link) -> Reply:
    """Writes until the replicas confirm it in the half second that they have for that."""
    async with asyncio.timeout(30):
        while not (result := await link.run(COUNT, [KEY], wait_replicas=True)).replicated:
            pass
    return result


async def test_answers_reach_who_asked_in_the_order_of_the_calls(valkey_cluster: ValkeyCluster) -> None:
    """A thousand at once over three servers, each with its own answer; those of one key in order."""
    async with linked(valkey_cluster.url) as link:
        keys = [b"penstock:{order-%d}:n" % number for number in range(10)]
        for key in keys:
            await link.call("DEL", key, key=key)
        calls = [
            (number, link.run(COUNT, [keys[number % 10]]), link.run(ECHO, [keys[number % 10]], [number]))
            for number in range(1000)
        ]
        for number, counted, echoed in calls:
            assert (await counted).value == number // 10 + 1
            assert (await echoed).value == b"%d" % number


async def test_one_turn_s_calls_share_a_write(valkey: ValkeyServer) -> None:
    """The server reads a hundred commands as few pieces."""
    async with linked(valkey.url) as link:
        await link.run(ECHO, [KEY], [0])
        before = int(valkey.info("stats")["total_reads_processed"])
        await asyncio.gather(*(link.run(ECHO, [KEY], [number]) for number in range(100)))
        assert int(valkey.info("stats")["total_reads_processed"]) - before < 20


async def test_a_call_that_nobody_waits_for_any_more_is_not_sent(valkey: ValkeyServer) -> None:
    """Cancelled in the turn in which it was made, it leaves no trace, and the others are not mixed up."""
    async with linked(valkey.url) as link:
        await link.call("DEL", KEY, key=KEY)
        cancelled = link.run(COUNT, [KEY])
        kept = link.run(COUNT, [KEY])
        cancelled.cancel()
        assert (await kept).value == 1


async def test_a_script_that_the_server_forgot_is_told_again(valkey: ValkeyServer) -> None:
    """And runs once."""
    async with linked(valkey.url) as link:
        await link.call("DEL", KEY, key=KEY)
        assert (await link.run(COUNT, [KEY])).value == 1
        valkey.command("SCRIPT", "FLUSH")
        assert (await link.run(COUNT, [KEY])).value == 2


async def test_a_script_s_own_fault_is_told_as_one(valkey: ValkeyServer) -> None:
    """It is neither the store's absence nor the caller's mistake."""
    async with linked(valkey.url) as link:
        with pytest.raises(RedisRefused, match="boom"):
            await link.run(Script("#!lua\nerror('boom')"), [KEY])


async def test_a_lost_answer_leaves_a_write_unclear_and_a_read_repeated(valkey: ValkeyServer) -> None:
    """The write was done, once; nobody is told that it was or wasn't."""
    async with proxy_to(valkey.address) as proxy, linked(valkey.url_through(proxy.address)) as link:
        await link.call("DEL", KEY, key=KEY)
        loss = proxy.lose_answer(lambda piece: b"INCR" in piece)
        write = link.run(COUNT, [KEY])
        await loss.cut()
        with pytest.raises(Unavailable) as raised:
            await write
        assert is_unclear(raised.value)
        assert raised.value.reason == "STORE_UNAVAILABLE"
        assert raised.value.retry_after
        assert valkey.command("GET", KEY) == b"1"
        loss = proxy.lose_answer(lambda piece: b"read-me" in piece)
        read = link.run(ECHO, [KEY], ["read-me"])
        await loss.cut()
        assert (await read).value == b"read-me"


async def test_what_was_not_sent_waits_for_a_short_absence(valkey: ValkeyServer) -> None:
    """A connection that breaks and comes back costs callers time, and no error."""
    async with proxy_to(valkey.address) as proxy, linked(valkey.url_through(proxy.address)) as link:
        await link.call("DEL", KEY, key=KEY)
        renewed = asyncio.Event()
        link.on_renewed(renewed.set)
        proxy.refuse()
        await until(lambda: not proxy.connections)
        await until(lambda: not connected(link))
        write = link.run(COUNT, [KEY])
        proxy.accept()
        assert (await write).value == 1
        assert renewed.is_set()


async def test_a_redis_that_is_away_is_told_and_found_again(tmp_path: Path) -> None:
    """Calls fail within their patience, later ones at once; within 5 s of its return all is well."""
    server = ValkeyServer(tmp_path, aof="always")
    with serving(server):
        async with linked(server.url) as link:
            await link.run(COUNT, [KEY])
            before = link.server_of(KEY)
            await asyncio.to_thread(server.kill)
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await asyncio.wait_for(link.run(COUNT, [KEY]), 20)
            assert not connected(link)
            await until(lambda: time.monotonic() - began > 2.5)
            took = []
            for _ in range(3):
                asked = time.monotonic()
                with pytest.raises(Unavailable):
                    await link.run(COUNT, [KEY])
                took.append(time.monotonic() - asked)
            assert min(took) < 1.5
            await asyncio.to_thread(server.start)
            returned = time.monotonic()
            await works(link)
            assert time.monotonic() - returned < 9  # 5, and what a busy machine adds
            after = link.server_of(KEY)
            assert (after.place, after.aof_always) == (before.place, True)
            assert after.run_id != before.run_id
            assert not may_have_lost(before, after, replicated=False)
            with pytest.raises(ServerChanged):
                await link.run(COUNT, [KEY], on=before)
            assert (await link.run(COUNT, [KEY], on=after)).server == after


async def test_a_server_that_stalls_is_given_up(tmp_path: Path) -> None:
    """A dead link is noticed by its silence: what was sent is unclear, and nothing hangs."""
    server = ValkeyServer(tmp_path)
    with serving(server):
        async with linked(server.url) as link:
            server.stall()
            try:
                with pytest.raises(Unavailable) as raised:
                    await asyncio.wait_for(link.run(COUNT, [KEY]), 30)
                assert is_unclear(raised.value)
            finally:
                server.resume()
            await works(link)


async def test_a_full_server_takes_no_write_and_says_so(tmp_path: Path) -> None:
    """Reads go on, and so do writes when there is room again."""
    server = ValkeyServer(tmp_path)
    with serving(server):
        async with linked(server.url) as link:
            server.command("CONFIG", "SET", "maxmemory", 1)
            for write in (link.run(COUNT, [KEY]), link.call("SET", KEY, 1, key=KEY)):
                with pytest.raises(ResourceExhausted) as raised:
                    await write
                assert raised.value.reason == "STORE_FULL"
            assert (await link.run(ECHO, [KEY], ["x"])).value == b"x"
            server.command("CONFIG", "SET", "maxmemory", 0)
            assert (await link.run(COUNT, [KEY])).value == 1


async def test_replicated_means_that_a_majority_of_the_replicas_has_it(tmp_path: Path) -> None:
    """With one of two replicas stalled a write is not; with the next that both take, all before it is."""
    with replicated(tmp_path, replicas=2) as (primary, first, _):
        async with linked(primary.url) as link:
            assert link.replicas == 2
            assert link.keeps(Durability.DURABILITY_REPLICA)
            assert not link.keeps(Durability.DURABILITY_POWER)
            before = (await replicated_write(link)).value
            assert not (await link.run(COUNT, [KEY])).replicated
            first.stall()
            try:
                short = await link.run(COUNT, [KEY], wait_replicas=True)
                assert (short.value, short.replicated) == (before + 2, False)
            finally:
                first.resume()
            await replicated_write(link)


async def test_a_promoted_server_is_another_place(tmp_path: Path) -> None:
    """Behind one address that always leads to the primary, a failover does not look like a restart."""
    with replicated(tmp_path, replicas=1) as (primary, replica):
        async with linked(primary.url) as link:
            before = link.server_of(KEY)
        replica.command("REPLICAOF", "NO", "ONE")
        async with linked(replica.url) as link:
            after = link.server_of(KEY)
        assert "/" in after.place
        assert after.place != before.place


async def test_a_primary_that_became_a_replica_is_left(tmp_path: Path) -> None:
    """A READONLY answer is no acknowledgement; the write goes to who is behind the address then."""
    with replicated(tmp_path, replicas=1) as (primary, replica):
        async with linked(primary.url) as link:
            await link.run(COUNT, [KEY])
            primary.command("REPLICAOF", "127.0.0.1", replica.port)
            with pytest.raises(Unavailable) as raised:
                await link.run(COUNT, [KEY])
            assert not is_unclear(raised.value)
            primary.command("REPLICAOF", "NO", "ONE")
            await works(link)


async def test_the_clock_is_the_server_s_and_never_goes_back(valkey: ValkeyServer) -> None:
    """To within a few milliseconds of what TIME says."""
    close = []
    for _ in range(5):  # one that was interrupted while it asked for the time knows it less well
        async with linked(valkey.url) as link:
            seen = []
            off = 0
            for _ in range(20):
                before = link.clock.now_us()
                seconds, microseconds = valkey.command("TIME")
                seen += (before, link.clock.now_us())
                told = seconds * 1_000_000 + microseconds
                off = max(off, before - told, told - seen[-1])
            assert seen == sorted(seen)
            close.append(off < 50_000)
    assert any(close)


async def test_a_failover_in_a_cluster_costs_time_and_no_restart(tmp_path: Path) -> None:
    """The replica of a killed primary is found; its place is another, and the other slots go on meanwhile."""
    with cluster(tmp_path) as made:
        async with linked(made.url) as link:
            assert link.replicas == 1
            await replicated_write(link)
            before = link.server_of(KEY)
            renewed = asyncio.Event()
            link.on_renewed(renewed.set)
            primary = made.primary_of(KEY)
            other = next(
                key for key in (b"penstock:{o%d}:n" % n for n in range(99)) if made.primary_of(key) is not primary
            )
            await asyncio.to_thread(primary.kill)
            assert (await link.run(COUNT, [other])).value == 1
            await works(link)
            after = link.server_of(KEY)
            assert after.place != before.place
            assert renewed.is_set()
            assert int(await link.call("GET", KEY, key=KEY)) >= 2
            assert may_have_lost(before, after, replicated=False)
            assert not may_have_lost(before, after, replicated=True)
            with pytest.raises(ServerChanged):
                await link.run(COUNT, [KEY], on=before)


async def test_slots_that_move_are_followed(tmp_path: Path) -> None:
    """While a slot is on its way, and when it has arrived, its keys are found and counted on."""
    with cluster(tmp_path) as made:
        async with linked(made.url) as link:
            assert (await link.run(COUNT, [KEY])).value == 1
            source = made.primary_of(KEY)
            target = next(server for server in made.primaries() if server is not source)
            slot = source.command("CLUSTER", "KEYSLOT", KEY)
            names = {server: server.command("CLUSTER", "MYID") for server in (source, target)}
            target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
            source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
            assert (await link.run(COUNT, [KEY])).value == 2
            source.command("MIGRATE", "127.0.0.1", target.port, KEY, 0, 5000)
            moved = await link.run(COUNT, [KEY])
            assert moved.value == 3
            assert moved.server.place == names[target].decode()
            for server in (target, source):
                server.command("CLUSTER", "SETSLOT", slot, "NODE", names[target])
            assert (await link.run(COUNT, [KEY])).value == 4
            await until(lambda: link.server_of(KEY).place == names[target].decode())


async def test_scripts_with_several_keys_wait_for_a_slot_that_moves(tmp_path: Path) -> None:
    """Of keys that are partly there nobody can tell who has them; when the slot has arrived each call is done, once."""
    both = Script("#!lua\nredis.call('EXISTS', KEYS[2])\nreturn redis.call('INCR', KEYS[1])")
    partly, neither = (KEY, KEY + b"-missing"), (KEY + b"-new", KEY + b"-missing")
    with cluster(tmp_path) as made:
        async with linked(made.url) as link:
            assert (await link.run(both, partly)).value == 1
            source = made.primary_of(KEY)
            target = next(server for server in made.primaries() if server is not source)
            slot = source.command("CLUSTER", "KEYSLOT", KEY)
            names = {server: server.command("CLUSTER", "MYID") for server in (source, target)}
            target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
            source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
            refused = [link.run(both, keys) for keys in (partly, neither)]
            for error in await asyncio.gather(*refused, return_exceptions=True):
                assert isinstance(error, Unavailable)
                assert not is_unclear(error)
            waiting = [link.run(both, keys) for keys in (partly, neither)]
            source.command("MIGRATE", "127.0.0.1", target.port, KEY, 0, 5000)
            for server in (target, source):
                server.command("CLUSTER", "SETSLOT", slot, "NODE", names[target])
            assert [(await call).value for call in waiting] == [2, 1]


async def test_two_servers_that_each_name_the_other_are_not_flooded(tmp_path: Path) -> None:
    """While they disagree about a slot, a call goes between them now and then, and fails in time."""
    with cluster(tmp_path) as made:
        async with linked(made.url) as link:
            assert (await link.run(COUNT, [KEY])).value == 1
            one = made.primary_of(KEY)
            other = next(server for server in made.primaries() if server is not one)
            slot = one.command("CLUSTER", "KEYSLOT", KEY)
            one.command("DEL", KEY)
            one.command("CLUSTER", "SETSLOT", slot, "NODE", other.command("CLUSTER", "MYID"))
            other.command("CLUSTER", "SETSLOT", slot, "NODE", one.command("CLUSTER", "MYID"))
            one.command("CONFIG", "RESETSTAT")
            with pytest.raises(Unavailable):
                await link.run(COUNT, [KEY])
            assert int(one.info("stats")["total_error_replies"]) < 100
