"""How the load generator calls each kind of system, as a user of it would."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol

TIMEOUT: Final = 60.0


class Caller(Protocol):
    """Represents a client of one system; both methods raise when a call fails."""

    async def execute(self, task: str) -> str:
        """Returns all tokens at once."""

    def stream(self, task: str) -> AsyncGenerator[str]:
        """Yields tokens as they arrive."""


class PenstockCaller:
    """Calls a Penstock gateway through its client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def execute(self, task: str) -> str:
        """Returns all tokens at once."""
        from penstock.client import RunState

        run = await self._client.execute_run(task, agent="worker", wait=TIMEOUT)
        if run.state != RunState.RUN_STATE_SUCCEEDED:
            raise RuntimeError(f"the run did not succeed:\n{run}")
        return "".join(part.text for part in run.output)

    async def stream(self, task: str) -> AsyncGenerator[str]:
        """Yields tokens as they arrive; a run that is left before its end is cancelled, since it would go on."""
        events, ended = self._client.stream_run(task, agent="worker"), False
        try:
            async with events:
                async for event in events:
                    if event.HasField("token"):
                        yield event.token.text
            ended = True
        finally:
            if events.run_id and not ended:
                await self._client.cancel_run(events.run_id)


class GrpcCaller:
    """Calls a bare grpc.aio chain."""

    def __init__(self, channel: Any) -> None:
        from benchmarks.hops.grpc_hop import Relay

        self._next = Relay(channel)

    async def execute(self, task: str) -> str:
        """Returns all tokens at once."""
        from google.protobuf.wrappers_pb2 import StringValue

        return (await self._next.execute(StringValue(value=task), None)).value

    async def stream(self, task: str) -> AsyncGenerator[str]:
        """Yields tokens as they arrive."""
        from google.protobuf.wrappers_pb2 import StringValue

        async for token in self._next.stream(StringValue(value=task), None):
            yield token.value


class HttpCaller:
    """Calls a chain of HTTP services."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def execute(self, task: str) -> str:
        """Returns all tokens at once."""
        response = await self._client.post("/execute", json={"task": task})
        response.raise_for_status()
        return str(response.json()["text"])

    async def stream(self, task: str) -> AsyncGenerator[str]:
        """Yields tokens as they arrive."""
        async with self._client.stream("POST", "/stream", json={"task": task}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line:
                    yield line.removeprefix("data: ")


def open_caller(kind: str, address: str) -> AbstractAsyncContextManager[Caller]:
    """Returns a client of a system of this kind; only what that kind needs is imported."""
    match kind:
        case "penstock":
            return _penstock(address)
        case "grpc":
            return _grpc(address)
        case "http":
            return _http(address)
        case _:
            raise ValueError(f"no such kind of system: {kind}")


@asynccontextmanager
async def _penstock(address: str) -> AsyncIterator[Caller]:
    from penstock.client import Client

    async with Client(address) as client:
        yield PenstockCaller(client)


@asynccontextmanager
async def _grpc(address: str) -> AsyncIterator[Caller]:
    import grpc

    async with grpc.aio.insecure_channel(address) as channel:
        yield GrpcCaller(channel)


@asynccontextmanager
async def _http(address: str) -> AsyncIterator[Caller]:
    import httpx

    from benchmarks.hops.http_hop import LIMITS

    async with httpx.AsyncClient(base_url=f"http://{address}", timeout=TIMEOUT, limits=LIMITS) as client:
        yield HttpCaller(client)
