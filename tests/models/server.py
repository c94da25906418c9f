"""A model server in a process of its own that speaks OpenAI's chat completions over HTTP, also wrongly on purpose.

    python tests/models/server.py      prints its port, and serves until it is ended

The last user message says how it answers: its first word is the name of a behaviour in `behaviours.py`. What came in is
told at /seen; /arrived?BEHAVIOUR=COUNT answers once so many requests for it have come, /closed?NUMBER once the client
of that request has closed its socket, and /release?NUMBER lets an answer go on that waits in its middle.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.models.behaviours import BEHAVIOURS
from tests.models.exchange import Exchange


class ModelServer:
    """Answers chat requests, and remembers them."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._news = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection, one request after the other."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._serve_one(reader, writer):
                pass
        writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = (await reader.readline()).decode().split()
        if len(line) < 2:
            return False
        headers = {}
        while header := (await reader.readline()).strip().decode():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path, _, query = line[1].partition("?")
        match path:
            case "/v1/chat/completions":
                return await self._chat(headers, json.loads(body), reader, writer)
            case "/seen":
                await _answer(writer, [one.told() for one in self.exchanges])
            case "/closed":
                await self.exchanges[int(query)].closed.wait()
                await _answer(writer, {})
            case "/arrived":
                behaviour, _, count = query.partition("=")
                await _answer(writer, (await self._arrived(behaviour, int(count))).told())
            case "/release":
                self.exchanges[int(query)].released.set()
                await _answer(writer, {})
            case _:
                await _answer(writer, {"error": {"message": f"no such path {path}"}}, "404 Not Found")
        return True

    async def _arrived(self, behaviour: str, count: int) -> Exchange:
        async with self._news:
            while len(of_kind := [one for one in self.exchanges if one.behaviour == behaviour]) < count:
                await self._news.wait()
        return of_kind[count - 1]

    async def _chat(
        self,
        headers: dict[str, str],
        body: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        exchange = Exchange(len(self.exchanges), headers, body, writer)
        self.exchanges.append(exchange)
        async with self._news:
            self._news.notify_all()
        async with watching(reader, exchange):
            await BEHAVIOURS[exchange.behaviour](exchange)
        return exchange.keep


@contextlib.asynccontextmanager
async def watching(reader: asyncio.StreamReader, exchange: Exchange) -> AsyncIterator[None]:
    """Notes when the client closes its socket during an answer, and ends the answer then."""
    task = asyncio.current_task()
    assert task is not None

    async def watch() -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
        exchange.closed.set()
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except (asyncio.CancelledError, ConnectionError):
        exchange.closed.set()
        exchange.keep = False
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


async def _answer(writer: asyncio.StreamWriter, value: Any, status: str = "200 OK") -> None:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def main() -> None:
    """Serves on a free port."""
    model = ModelServer()
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
