"""The way to a Redis, standalone or Cluster: every command goes to the server that has its key's slot."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from penstock.state.redis.address import Endpoint, RedisAddress
from penstock.state.redis.background import background
from penstock.state.redis.clock import RedisClock
from penstock.state.redis.cluster_map import Owners
from penstock.state.redis.faults import not_done
from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.keys import Keys
from penstock.state.redis.order import Order, ScriptOrder, Word
from penstock.state.redis.routes import Routes
from penstock.state.redis.scripts import Reply, Script
from penstock.v1.run_pb2 import Durability

PATIENCE_S: Final = 2.0
"""Seconds for which a command that surely was not done is tried again."""

_OPEN_S: Final = 10.0


class Link:
    """Sends commands and scripts.

    All that is sent in one turn of the event loop to one server travels in one write, in the order of the calls, and
    more may follow before it is answered. What surely was not done is tried again for up to `PATIENCE_S`; a read also
    when its answer was lost. `replicas` is how many replicas each server has, fixed at the start.

    Futures fail with Unavailable (see :func:`penstock.state.redis.faults.is_unclear`), with ResourceExhausted when the
    server is full, with ServerChanged when `on` is not there, or with RedisRefused when the command is wrong.
    """

    def __init__(self, address: RedisAddress, routes: Routes, replicas: int, clock: RedisClock) -> None:
        self.address = address
        self.keys = Keys(address.namespace)
        self.replicas = replicas
        self.clock = clock
        self._routes = routes
        self._loop = asyncio.get_running_loop()

    @property
    def is_cluster(self) -> bool:
        """Whether keys are spread over servers."""
        return self.address.cluster

    def call(self, *words: Word, key: bytes, read_only: bool = False) -> asyncio.Future[Any]:
        """Sends a command to who has `key`; the future has the answer as the protocol gives it."""
        future: asyncio.Future[Any] = self._loop.create_future()
        until = self._loop.time() + PATIENCE_S
        self._routes.place(Order(future, words, self._routes.slot_of(key), until, read_only=read_only))
        return future

    def run(
        self,
        script: Script,
        keys: Sequence[bytes],
        arguments: Sequence[Word] = (),
        *,
        wait_replicas: bool = False,
        on: ServerIdentity | None = None,
    ) -> asyncio.Future[Reply]:
        """Runs a script where its first key lies; `on`: only if that very server has it.

        With `wait_replicas` the answer comes when a majority of the replicas has all that this connection wrote before,
        or with `replicated` False when that takes too long.
        """
        future: asyncio.Future[Reply] = self._loop.create_future()
        until = self._loop.time() + PATIENCE_S
        order = ScriptOrder(future, script, keys, arguments, self._routes.slot_of(keys[0]), until)
        order.on = on
        order.waits = wait_replicas
        self._routes.place(order)
        return future

    def server_of(self, key: bytes) -> ServerIdentity:
        """Returns who has a key now; raises Unavailable when nobody can be reached."""
        lane = self._routes.lane_of(key)
        if lane is None or lane.identity is None:
            raise not_done()
        return lane.identity

    def servers(self) -> set[ServerIdentity]:
        """Returns who has keys now; raises Unavailable while one of them can't be reached."""
        servers = {lane.identity for lane in self._routes.lanes()}
        found = {server for server in servers if server is not None}
        if len(found) < len(servers):
            raise not_done()
        return found

    def endpoint_of(self, key: bytes) -> Endpoint | None:
        """Returns where who has a key listens; None: nobody has it now."""
        return self._routes.owner(key)

    def on_renewed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Has a callback called after any reconnection or failover, before anything is sent; returns what ends that."""
        return self._routes.on_renewed(callback)

    def keeps(self, level: Durability) -> bool:
        """Tells whether the servers keep what they acknowledge as safe as that."""
        match level:
            case Durability.DURABILITY_POWER:
                servers = [lane.server for lane in self._routes.lanes()]
                return all(server is not None and server.identity.aof_always for server in servers)
            case Durability.DURABILITY_REPLICA:
                return self.replicas >= 1
            case _:
                return True

    async def read_clock(self) -> int:
        """Asks the server for its time in microseconds since 1970, and has the clock learn of it."""
        asked = time.monotonic_ns()
        seconds, microseconds = await self.call("TIME", key=self.keys.plain("clock"), read_only=True)
        now_us = int(seconds) * 1_000_000 + int(microseconds)
        self.clock.sample(now_us, asked, time.monotonic_ns())
        return now_us


@asynccontextmanager
async def open_link(address: RedisAddress, owners: Owners, replicas: int) -> AsyncGenerator[Link]:
    """Keeps connections to all servers for the block; `owners` and `replicas` are what was seen at the start."""
    clock = RedisClock()
    clock_key = Keys(address.namespace).plain("clock")
    async with background() as tasks:
        majority = replicas // 2 + 1 if replicas else 0
        routes = Routes(address, owners, majority, tasks, clock, clock_key)
        try:
            link = Link(address, routes, replicas, clock)
            for lane in routes.lanes():
                try:
                    async with asyncio.timeout(_OPEN_S):
                        await lane.entered.wait()
                except TimeoutError:
                    raise ValueError(f"the state layer's Redis went away while it was opened: {lane.fault}") from None
            await link.read_clock()
            yield link
        finally:
            routes.close()
