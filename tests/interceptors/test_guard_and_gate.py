"""How much a layer takes on at once, and what it refuses on its way out."""

import asyncio
from typing import Any

from penstock.interceptors.rules import LayerRules
from penstock.wire.errors import Draining, Unavailable
from penstock.wire.status import from_rpc_error

from .conftest import Serve, Served, failure


class Held:
    """Handlers that wait until they are let go."""

    def __init__(self) -> None:
        self.going = asyncio.Event()
        self.begun: asyncio.Queue[str] = asyncio.Queue()

    async def body(self, text: str, context: Any) -> str:
        self.begun.put_nowait(text)
        await self.going.wait()
        return text


async def test_calls_over_the_bound_are_refused_with_a_time_to_come_back(serve: Serve) -> None:
    """The refusal is UNAVAILABLE with RetryInfo, at once, and there is room again when a call has ended."""
    held = Held()
    async with serve(held.body, rules=LayerRules("gateway", concurrency=2)) as served:
        two = [asyncio.ensure_future(served.call(str(n))) for n in range(2)]
        await held.begun.get()
        await held.begun.get()
        told = from_rpc_error(await failure(served.call("one too many")))
        assert isinstance(told, Unavailable)
        assert (told.reason, told.retry_after, told.metadata["layer"]) == ("OVERLOADED", 1.0, "gateway")
        held.going.set()
        await asyncio.gather(*two)
        assert (await served.call("again")).value == "again"
        assert (served.load.short, served.load.long) == (0, 0)


async def test_open_streams_take_no_room_from_short_calls(serve: Serve) -> None:
    """Streams, and rpcs that wait for a run, have a bound of their own."""
    held = Held()

    async def body(text: str, context: Any) -> str:
        return text if text == "short" else await held.body(text, context)

    async with serve(body, rules=LayerRules("gateway", concurrency=1, streams=2)) as served:
        stream = asyncio.ensure_future(_all(served))
        long = asyncio.ensure_future(served.call("long", method="ExecuteRun"))
        await held.begun.get()
        await held.begun.get()
        assert (await served.call("short")).value == "short"
        assert from_rpc_error(await failure(served.stream("long"))).reason == "OVERLOADED"
        held.going.set()
        assert await stream == ["long"]
        assert (await long).value == "long"


async def test_a_cancelled_call_gives_its_room_back(serve: Serve) -> None:
    """Room is counted by handlers that run, so that dropped callers can't use it up."""
    begun: asyncio.Queue[None] = asyncio.Queue()
    ended: asyncio.Queue[None] = asyncio.Queue()

    async def body(text: str, context: Any) -> str:
        context.add_done_callback(lambda _: ended.put_nowait(None))
        begun.put_nowait(None)
        await asyncio.Event().wait()
        return text

    async with serve(body, rules=LayerRules("gateway", concurrency=1)) as served:
        for _ in range(5):
            call = served.call()
            await begun.get()
            call.cancel()
            await ended.get()


async def test_a_draining_server_refuses_new_work_and_finishes_what_it_has(serve: Serve) -> None:
    """Starting a run gets UNAVAILABLE (DRAINING) with RetryInfo; reading goes on; idle comes with the last stream."""
    held = Held()

    async def body(text: str, context: Any) -> str:
        return text if text == "read" else await held.body(text, context)

    async with serve(body) as served:
        stream = asyncio.ensure_future(_all(served))
        await held.begun.get()
        served.gate.close()
        idle = asyncio.ensure_future(served.gate.idle())
        for method in ("CreateRun", "ExecuteRun"):
            told = from_rpc_error(await failure(served.call(method=method)))
            assert isinstance(told, Draining)
            assert told.retry_after == 1.0
        assert isinstance(from_rpc_error(await failure(served.stream(method="StreamRun"))), Draining)
        assert (await served.call("read")).value == "read"
        assert not idle.done()
        held.going.set()
        assert await stream == ["long"]
        await idle


async def _all(served: Served) -> list[str]:
    return [message.value async for message in served.stream("long")]
