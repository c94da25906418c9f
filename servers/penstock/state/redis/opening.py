"""The look at a Redis before it is used: what is wrong with it is said at the start, with how to mend it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from hiredis import ReplyError

from penstock.state.redis.address import Endpoint, RedisAddress
from penstock.state.redis.cluster_map import Owners, read_owners, slot_of
from penstock.state.redis.dial import NotConnected, Server, dial
from penstock.state.redis.keys import Keys
from penstock.state.redis.pipe import Pipe
from penstock.state.redis.rights import check_rights
from penstock.v1.run_pb2 import Durability

SCHEMA: Final = 1
"""Version of what the store's keys hold."""

_OLDEST: Final = (7, 0)
_CONNECT_S: Final = 5.0
_SETTLE_S: Final = 30.0
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Opening:
    """Represents what was seen at the start: who has which slot, and how many replicas each server has."""

    owners: Owners
    replicas: int


async def look(address: RedisAddress) -> Opening:
    """Looks at all servers of an address, and marks the store as one of ours.

    Raises ValueError with one text that says what is wrong and how to mend it.
    """
    try:
        async with AsyncExitStack() as stack:
            return await _look(address, stack)
    except NotConnected as error:
        raise ValueError(f"its Redis can't be used: {error}") from error
    except (ConnectionError, ReplyError) as error:
        raise ValueError(f"its Redis can't be used: {address} failed in between ({error})") from error


async def _look(address: RedisAddress, stack: AsyncExitStack) -> Opening:
    pipe, server, endpoint = await _first(address, stack)
    _check_version(server, endpoint)
    if server.cluster and not address.cluster:
        raise NotConnected(f"{endpoint} is part of a Cluster; write redis+cluster:// instead of redis://")
    if address.cluster and not server.cluster:
        raise NotConnected(f"{endpoint} is not part of a Cluster; write redis:// instead of redis+cluster://")
    if not address.cluster:
        await _check(address, pipe, server, endpoint)
        opening = Opening([endpoint], _replicas(address, [server]))
        await _mark_schema(Keys(address.namespace).plain("schema"), pipe)
        return opening
    owners = await _covered(pipe, endpoint)
    servers = []
    schema = Keys(address.namespace).plain("schema")
    for owner in sorted({owner for owner in owners if owner is not None}, key=str):
        pipe, server = await _dial(address, owner, stack)
        await _check(address, pipe, server, owner)
        servers.append(server)
        if owners[slot_of(schema)] == owner:
            await _mark_schema(schema, pipe)
    return Opening(owners, _replicas(address, servers))


async def _first(address: RedisAddress, stack: AsyncExitStack) -> tuple[Pipe, Server, Endpoint]:
    """Connects to the first of the endpoints that answers."""
    failure: NotConnected | None = None
    for endpoint in address.endpoints:
        try:
            return *await _dial(address, endpoint, stack), endpoint
        except NotConnected as error:
            failure = failure or error
    raise failure or NotConnected("there is no host in the address")


async def _dial(address: RedisAddress, endpoint: Endpoint, stack: AsyncExitStack) -> tuple[Pipe, Server]:
    until = time.monotonic() + _SETTLE_S
    while True:
        try:
            async with asyncio.timeout(_CONNECT_S):
                pipe, server = await dial(address, endpoint)
        except TimeoutError:
            raise NotConnected(
                f"{endpoint} does not answer within {_CONNECT_S:.0f} s; check the address and what lies between"
            ) from None
        stack.callback(pipe.close)
        if not server.loading:
            return pipe, server
        if time.monotonic() > until:
            raise NotConnected(f"{endpoint} is still loading its data; wait until it has, and start again")
        pipe.close()
        await asyncio.sleep(_LOOK_S)


async def _covered(pipe: Pipe, endpoint: Endpoint) -> Owners:
    """Returns who has which slot, once every slot has someone."""
    until = time.monotonic() + _CONNECT_S
    while True:
        owners = read_owners(await pipe.ask("CLUSTER", "SLOTS"), endpoint)
        if None not in owners:
            return owners
        if time.monotonic() > until:
            raise NotConnected(
                f"{endpoint} says that {owners.count(None):,} slots of the Cluster have no server; "
                "look at CLUSTER INFO, and at redis-cli --cluster check"
            )
        await asyncio.sleep(_LOOK_S)


async def _check(address: RedisAddress, pipe: Pipe, server: Server, endpoint: Endpoint) -> None:
    _check_version(server, endpoint)
    if server.replica:
        raise NotConnected(f"{endpoint} is a replica, and takes no writes; write its primary's address")
    await check_rights(address, pipe, endpoint)
    if server.eviction != "noeviction":
        raise NotConnected(
            f"{endpoint} drops keys when it is full (maxmemory-policy {server.eviction}); "
            "set it by CONFIG SET maxmemory-policy noeviction, and in the server's configuration file"
        )
    if address.durability == Durability.DURABILITY_POWER and not server.identity.aof_always:
        raise NotConnected(
            f"{endpoint} does not keep each write on its disk, as durability=power asks; "
            "set appendonly yes and appendfsync always (and let this user run CONFIG GET), or leave the option out"
        )


def _check_version(server: Server, endpoint: Endpoint) -> None:
    if server.version < _OLDEST:
        oldest = ".".join(str(part) for part in _OLDEST)
        raise NotConnected(f"{endpoint} runs {server.name}, which is too old; run Redis {oldest} or Valkey, or newer")


def _replicas(address: RedisAddress, servers: Sequence[Server]) -> int:
    seen = min(server.replicas for server in servers)
    number = seen if address.replicas is None else address.replicas
    if address.durability == Durability.DURABILITY_REPLICA and number < 1:
        raise NotConnected(
            f"{address} has no replica, which durability=replica asks for; "
            "add one to each server, or write how many there will be as ?replicas=N, or leave the option out"
        )
    return number


async def _mark_schema(key: bytes, pipe: Pipe) -> None:
    try:
        found = await pipe.ask("GET", key)
        if found is None:  # else a server that is full would take no process that reads, and makes room
            await pipe.ask("SET", key, SCHEMA, "NX")
            found = await pipe.ask("GET", key)
    except ReplyError as error:
        raise NotConnected(f"the store's mark can't be written ({error})") from error
    if not found.isdigit():
        raise NotConnected(f"{key.decode()} is not the mark of our store; choose another ?namespace=NAME")
    if int(found) > SCHEMA:
        raise NotConnected(
            f"its data has schema version {int(found)}, and this program knows up to {SCHEMA}; run a newer penstock"
        )
