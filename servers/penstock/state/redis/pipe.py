"""One connection: what is ordered in one turn of the event loop leaves in one write, and is answered in its order."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from hiredis import HiredisError, Reader, ReplyError

from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.order import Aside, Order, Word, pack

_NOTHING: Final = object()
_NOBODY: Final = ServerIdentity("", "", aof_always=False)
# A replica that is there answers within milliseconds. One that isn't holds up, each time, all that waits for replicas.
_WAIT_MS: Final = 500
_WAIT_AGAIN_MS: Final = 50


class Pipe(asyncio.Protocol):
    """Sends orders and hands out their answers: 3 us a call where redis-py's client takes 50 (64 at once, loopback).

    Orders that wait for replicas are covered by one WAIT behind all that left in the same turn.
    """

    def __init__(self) -> None:
        self.identity = _NOBODY
        self.majority = 0
        self.known: set[str] = set()
        self.lost = asyncio.Event()
        self.heard_at = 0.0
        self.unasked = ""
        """What the server said before it was asked anything, which is why it will not serve."""
        self.on_error: Callable[[Pipe, Order, Exception], None] = _fail
        self.on_unanswered: Callable[[Order, bool], None] = _gone
        self.on_push: Callable[[Any], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = Reader(notEnoughData=_NOTHING)
        self._unsent: list[Order] = []
        self._waiting: deque[Order] = deque()
        self._held: list[tuple[Order, Any]] = []
        self._wait_ms = _WAIT_MS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        self._transport = cast("asyncio.Transport", transport)
        self.heard_at = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends: what was answered is handed out, and all else is given back."""
        self.lost.set()
        self._release(None)
        sent, unsent = self._waiting, self._unsent
        self._waiting, self._unsent = deque(), []
        for order in sent:
            self.on_unanswered(order, True)
        for order in unsent:
            self.on_unanswered(order, False)

    @property
    def peer(self) -> str:
        """The address at the other end."""
        peer = None if self._transport is None else self._transport.get_extra_info("peername")
        return f"{peer[0]}:{peer[1]}" if peer else ""

    def send(self, order: Order) -> None:
        """Takes an order; it leaves at the end of this turn."""
        if self.lost.is_set():
            self.on_unanswered(order, False)
            return
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(order)

    def ask(self, *words: Word) -> asyncio.Future[Any]:
        """Sends a command that concerns this connection."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self.send(Order(future, words, -1, 0.0, read_only=False))
        return future

    def say(self, *words: Word) -> None:
        """Sends a command at once, on a connection all of whose answers go to `on_push`."""
        if self._transport is not None and not self.lost.is_set():
            self._transport.write(pack(words))

    def stalled(self, seconds: float) -> bool:
        """Tells whether answers are due and none has come for so long."""
        return bool(self._waiting) and self._loop.time() - self.heard_at > seconds

    def close(self) -> None:
        """Ends the connection without waiting for anything."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hands out answers."""
        self.heard_at = self._loop.time()
        next_reply, waiting = self._reader.gets, self._waiting
        try:
            self._reader.feed(data)
            while (reply := next_reply()) is not _NOTHING:
                if self.on_push is not None:
                    self.on_push(reply)
                    continue
                if not waiting:
                    self.unasked = str(reply)
                    self.close()
                    return
                order = waiting.popleft()
                if type(reply) is ReplyError:
                    self.on_error(self, order, reply)
                elif order.waits:
                    self._held.append((order, reply))
                else:
                    order.answer(reply, self.identity, replicated=False)
        except HiredisError:
            self.close()  # whoever is at the other end does not speak the protocol

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if self._transport is None or self.lost.is_set():
            return
        if not self._waiting:
            self.heard_at = self._loop.time()
        packed: list[bytes] = []
        waits = False
        for order in unsent:
            if order.future.done():
                continue  # nobody waits for it any more
            if order.asking:
                self._pack(packed, Aside(self._loop, ("ASKING",), _ignore))
            self._pack(packed, order)
            waits = waits or order.waits
        if waits:
            self._pack(packed, Aside(self._loop, ("WAIT", self.majority, self._wait_ms), self._release))
        if packed:
            self._transport.write(b"".join(packed))

    def _pack(self, packed: list[bytes], order: Order) -> None:
        packed.append(order.packed(self.known))
        self._waiting.append(order)

    def _release(self, count: int | None) -> None:
        replicated = count is not None and count >= self.majority
        self._wait_ms = _WAIT_MS if replicated else _WAIT_AGAIN_MS
        held, self._held = self._held, []
        for order, reply in held:
            order.answer(reply, self.identity, replicated=replicated)


def _fail(pipe: Pipe, order: Order, error: Exception) -> None:
    order.fail(error)


def _gone(order: Order, sent: bool) -> None:
    order.fail(ConnectionResetError("the connection was closed"))


def _ignore(value: Any) -> None:
    pass
