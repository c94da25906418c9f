"""One process of a chain of FastAPI services: the last one works, those before it pass calls on with httpx.

Calls are JSON in and out, streams are server-sent events, relayed line by line as they come. It runs as fast as it
can: uvicorn with uvloop and httptools, without an access log, and connections that are kept from round to round.
"""

import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from benchmarks.hops.ready import announce, parse
from benchmarks.work import work

SSE: Final = "text/event-stream"
TIMEOUT: Final = 60.0
KEPT_SECONDS: Final = 600
# As many as the workload of most calls at once uses. httpx looks at every kept connection for each call: with 60 more,
# left behind by a round of streams, a call cost half as much again.
KEPT_CONNECTIONS: Final = 32
LIMITS: Final = httpx.Limits(
    max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS, keepalive_expiry=KEPT_SECONDS
)


class Task(BaseModel):
    """Represents what is to be done."""

    task: str


class Answer(BaseModel):
    """Represents all tokens at once."""

    text: str


def worker() -> FastAPI:
    """Returns a service that does the work itself."""
    app = FastAPI()

    @app.post("/execute")
    async def execute(task: Task) -> Answer:
        async with aclosing(work(task.task)) as tokens:
            return Answer(text="".join([token async for token in tokens]))

    async def events(task: Task) -> AsyncGenerator[str]:
        async with aclosing(work(task.task)) as tokens:
            async for token in tokens:
                yield f"data: {token}\n\n"

    @app.post("/stream")
    async def stream(task: Task) -> StreamingResponse:
        return StreamingResponse(events(task), media_type=SSE)

    return app


def relay(next_hop: str) -> FastAPI:
    """Returns a service that passes calls on to the next hop."""
    client = httpx.AsyncClient(base_url=f"http://{next_hop}", timeout=TIMEOUT, limits=LIMITS)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with client:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/execute")
    async def execute(task: Task) -> Answer:
        response = await client.post("/execute", json=task.model_dump())
        response.raise_for_status()
        return Answer.model_validate_json(response.content)

    async def events(task: Task) -> AsyncGenerator[str]:
        async with client.stream("POST", "/stream", json=task.model_dump()) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line:
                    yield f"{line}\n\n"

    @app.post("/stream")
    async def stream(task: Task) -> StreamingResponse:
        return StreamingResponse(events(task), media_type=SSE)

    return app


class AnnouncingServer(uvicorn.Server):
    """Serves, and says so once it does."""

    def __init__(self, config: uvicorn.Config, ready_file: Path) -> None:
        super().__init__(config)
        self._ready_file = ready_file

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen."""
        await super().startup(sockets)
        if sockets:
            announce(self._ready_file, f"127.0.0.1:{sockets[0].getsockname()[1]}")


def main() -> None:
    """Serves until SIGTERM."""
    arguments = parse()
    app = relay(arguments.next_hop) if arguments.next_hop else worker()
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        access_log=False,
        timeout_keep_alive=KEPT_SECONDS,
        timeout_graceful_shutdown=1,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        AnnouncingServer(config, arguments.ready_file).run([listener])


if __name__ == "__main__":
    main()
