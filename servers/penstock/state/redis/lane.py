"""A connection to one server that is made again whenever it is lost, and the orders that wait for it."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from penstock.state.redis.address import Endpoint
from penstock.state.redis.dial import NotConnected, Server
from penstock.state.redis.faults import not_done
from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.order import Aside, Order
from penstock.state.redis.pipe import Pipe

_LOGGER = logging.getLogger(__name__)
_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 3.0
_LOOK_S: Final = 0.5
_PAUSE_S: Final = (0.05, 1.0)
AWAY_S: Final = 2.0
"""Seconds without a connection after which nobody waits for one any more."""

Dial = Callable[[Endpoint], Coroutine[Any, Any, tuple[Pipe, Server]]]


class Traffic(Protocol):
    """Hears what becomes of a lane and of the orders on it."""

    def up(self, lane: "Lane", *, again: bool) -> None:
        """Hears that the lane has a connection, or has one again, before any order goes onto it."""

    def down(self, lane: "Lane") -> None:
        """Hears that the lane has none, after each attempt to get one."""

    def time(self, lane: "Lane", server_us: int, asked_ns: int, answered_ns: int) -> None:
        """Hears what the server's clock said, and when by elapsed time here."""

    def error(self, lane: "Lane", pipe: Pipe, order: Order, error: Exception) -> None:
        """Hears that the server refused an order."""

    def unanswered(self, order: Order, *, sent: bool) -> None:
        """Hears that an order will get no answer."""


class ServerChanged(Exception):
    """The server that was to run a script is not the one that is there now; nothing was done."""


class Lane:
    """Keeps one connection to one server.

        connecting ──── entered ───▶ up ──── lost, stalled ───▶ connecting …

    Orders that come while it is connecting wait, until their time is over; after `AWAY_S` without a connection they
    fail at once.
    """

    def __init__(self, endpoint: Endpoint, dial: Dial, traffic: Traffic, majority: int) -> None:
        self.endpoint = endpoint
        self.pipe: Pipe | None = None
        self.server: Server | None = None
        self.fault = ""
        self.entered = asyncio.Event()
        self._dial = dial
        self._traffic = traffic
        self._majority = majority
        self._backlog: list[Order] = []
        self._loop = asyncio.get_running_loop()
        self._expiry: asyncio.TimerHandle | None = None
        self._down_since = self._loop.time()

    @property
    def identity(self) -> ServerIdentity | None:
        """Who is at the other end; None: nobody now."""
        return None if self.pipe is None else self.pipe.identity

    def send(self, order: Order) -> None:
        """Sends an order, at once or when there is a connection."""
        if self.pipe is None:
            if self._loop.time() - self._down_since > AWAY_S:
                order.fail(not_done())
                return
            self._backlog.append(order)
            if self._expiry is None:
                self._expiry = self._loop.call_at(order.until, self._expire)
        elif order.on is not None and order.on.run_id != self.pipe.identity.run_id:
            order.fail(ServerChanged(f"{self.endpoint} is not the server that it was"))
        else:
            self.pipe.send(order)

    async def keep(self) -> None:
        """Connects, and again whenever the connection is lost, until cancelled."""
        pause, most = _PAUSE_S
        while True:
            try:
                async with asyncio.timeout(_CONNECT_S):
                    pipe, server = await self._dial(self.endpoint)
            except (NotConnected, TimeoutError) as error:
                fault = str(error) or f"{self.endpoint} does not answer within {_CONNECT_S:.0f} s"
                if fault != self.fault:
                    _LOGGER.warning("%s; trying again", fault)
                self.fault = fault
                self._traffic.down(self)
                # Jitter, so that the processes that lost a server together don't all come back together.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, most)
                continue
            try:
                self._begin(pipe, server)
                pause = _PAUSE_S[0]
                await self._watch(pipe)
            finally:
                self.pipe = None
                self._down_since = self._loop.time()
                pipe.close()
            self.fault = f"{self.endpoint} has closed the connection"
            _LOGGER.warning("%s; connecting again", self.fault)
            self._traffic.down(self)

    def take_backlog(self) -> list[Order]:
        """Gives up the orders that wait, for another lane or an end."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        backlog, self._backlog = self._backlog, []
        return backlog

    def _begin(self, pipe: Pipe, server: Server) -> None:
        pipe.majority = self._majority
        pipe.on_error = self._refused
        pipe.on_unanswered = self._unanswered
        if self.fault:
            _LOGGER.warning("%s is there again", self.endpoint)
        self.fault = ""
        self.pipe, self.server = pipe, server
        self._traffic.up(self, again=self.entered.is_set())
        self.entered.set()
        for order in self.take_backlog():
            self.send(order)

    async def _watch(self, pipe: Pipe) -> None:
        while True:
            asked = time.monotonic_ns()

            def heard(reply: Any, asked: int = asked) -> None:
                if reply is not None:
                    now_us = int(reply[0]) * 1_000_000 + int(reply[1])
                    self._traffic.time(self, now_us, asked, time.monotonic_ns())

            pipe.send(Aside(self._loop, ("TIME",), heard))
            try:
                async with asyncio.timeout(_LOOK_S):
                    await pipe.lost.wait()
                return
            except TimeoutError:
                if pipe.stalled(_ANSWER_S):
                    return

    def _refused(self, pipe: Pipe, order: Order, error: Exception) -> None:
        if order.slot < 0:
            order.fail(error)  # a question about this connection, which no other can answer
        else:
            self._traffic.error(self, pipe, order, error)

    def _unanswered(self, order: Order, sent: bool) -> None:
        if order.slot < 0:
            order.fail(ConnectionResetError(f"{self.endpoint} has closed the connection"))
        else:
            self._traffic.unanswered(order, sent=sent)

    def _expire(self) -> None:
        now = self._loop.time()
        self._expiry = None
        waiting, self._backlog = self._backlog, []
        for order in waiting:
            if order.until <= now:
                self._traffic.unanswered(order, sent=False)
            else:
                self.send(order)
