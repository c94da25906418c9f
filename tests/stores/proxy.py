"""A TCP proxy that can cut, stall and refuse connections, and lose the answers to what it passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_PIECE_BYTES = 65536


@dataclass(slots=True, eq=False)
class Loss:
    """Represents an answer that is to be lost: the next one on the connection whose request matches.

    From the matching request on, nothing of that connection reaches the caller any more.
    """

    matches: Callable[[bytes], bool]
    requested: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request that matches was passed on."""

    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has sent something since, which was thrown away."""

    connection: _Connection | None = None

    async def cut(self) -> None:
        """Waits for the answer that is thrown away, and breaks the connection."""
        await self.answered.wait()
        assert self.connection is not None
        self.connection.abort()


class Proxy:
    """Passes bytes between an address of its own and a server, until it is told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._connections: set[_Connection] = set()
        self._losses: list[Loss] = []
        self._passes = asyncio.Event()
        self._passes.set()
        self._refuses = False
        self.address = ""

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def cut(self) -> None:
        """Breaks every connection there is; new ones can be made."""
        for connection in list(self._connections):
            connection.abort()

    def refuse(self) -> None:
        """Breaks every connection, and every new one at once, until `accept`."""
        self._refuses = True
        self.cut()

    def accept(self) -> None:
        """Takes new connections again."""
        self._refuses = False

    def stall(self) -> None:
        """Passes nothing on, in either direction, until `resume`; connections stay, as over a dead link."""
        self._passes.clear()

    def resume(self) -> None:
        """Passes on what was held back and all that comes."""
        self._passes.set()

    def lose_answer(self, matches: Callable[[bytes], bool] = bool) -> Loss:
        """Loses the answer to the next request whose bytes match.

        What it sees are pieces of a stream, as they arrive: look for a few bytes of the payload, such as a run's id.
        A gRPC server may send a frame that is no answer first, so see by other means that the request was done.
        """
        loss = Loss(matches)
        self._losses.append(loss)
        return loss

    async def serve(self, near: asyncio.StreamReader, near_writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        connection = _Connection(near_writer)
        if self._refuses:
            connection.abort()
            return
        self._connections.add(connection)
        try:
            far, connection.far = await asyncio.open_connection(*self._target)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_requests(near, connection.far, connection))
                group.create_task(self._pass_answers(far, near_writer, connection))
        except* (OSError, asyncio.IncompleteReadError):
            pass  # either end may go at any time
        finally:
            self._connections.discard(connection)
            connection.abort()

    async def _pass_requests(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        while piece := await source.read(_PIECE_BYTES):
            await self._passes.wait()
            loss = next((each for each in self._losses if each.matches(piece)), None)
            if loss is not None and connection.loss is None:
                self._losses.remove(loss)
                connection.loss, loss.connection = loss, connection
                loss.requested.set()
            target.write(piece)
            await target.drain()
        connection.abort()

    async def _pass_answers(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, connection: _Connection
    ) -> None:
        while piece := await source.read(_PIECE_BYTES):
            await self._passes.wait()
            if connection.loss is not None:
                connection.loss.answered.set()
                continue
            target.write(piece)
            await target.drain()
        connection.abort()


class _Connection:
    """Represents both ends of one connection."""

    def __init__(self, near: asyncio.StreamWriter) -> None:
        self._near = near
        self.far: asyncio.StreamWriter | None = None
        self.loss: Loss | None = None

    def abort(self) -> None:
        """Breaks both ends at once, without sending what is still in their buffers."""
        for end in (self._near, self.far):
            if end is not None:
                end.transport.abort()


@asynccontextmanager
async def proxy_to(address: str) -> AsyncGenerator[Proxy]:
    """Gives a way to a server at `host:port` for a block."""
    host, _, port = address.rpartition(":")
    proxy = Proxy(host, int(port))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.resume()
        proxy.refuse()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await server.wait_closed()
