"""Calls that are prepared before they leave: every kind, over both transports, as an interceptor would."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from penstock.wire.around import around_client
from penstock.wire.call import Call, Kind, Side
from penstock.wire.errors import Unavailable
from penstock.wire.in_process.calls import InProcessCall
from penstock.wire.prepared_channel import PreparedChannel
from penstock.wire.preparing import Done, Prepare, prepare_calls, split
from tests.wire.conftest import Wire


class Seen:
    """Notes what handlers see of their calls."""

    def __init__(self) -> None:
        self.metadata: list[tuple[str, Any]] = []
        self.remaining: float | None = None

    async def body(self, value: str, context: Any) -> None:
        """A handler's."""
        self.metadata = [(key, text) for key, text in context.invocation_metadata() if key.startswith("x-")]
        self.remaining = context.time_remaining()


async def test_what_is_prepared_arrives_in_order_after_what_the_caller_gave(wire: Wire, kind: Kind) -> None:
    """Metadata and timeout alike, for all four kinds."""
    seen, calls = Seen(), list[Call]()

    def first(call: Call) -> None:
        calls.append(call)
        call.metadata.append(("x-first", "1"))
        call.timeout = 7.0

    def second(call: Call) -> None:
        assert call.timeout == 7.0
        call.metadata.append(("x-second-bin", b"\x02"))
        call.timeout = 5.0

    await wire.host(wire.four(seen.body))
    stub = wire.stub(prepare_calls(first, second))
    assert await stub.say(kind, "hello", metadata=(("x-given", "0"),), timeout=60) == ["hello"]
    assert seen.metadata == [("x-given", "0"), ("x-first", "1"), ("x-second-bin", b"\x02")]
    assert seen.remaining is not None
    assert 0 < seen.remaining < 5.1  # grpc sends deadlines in whole units of their size, rounded up
    (call,) = calls
    assert (call.kind, call.side, call.name) == (kind, Side.CLIENT, call.method.rpartition("/")[2])


async def test_a_call_that_preparing_refuses_never_leaves(wire: Wire, kind: Kind) -> None:
    """The caller gets the error, and the handler nothing."""
    seen = Seen()

    def refuse(call: Call) -> None:
        raise Unavailable("not tried", reason="CIRCUIT_OPEN")

    await wire.host(wire.four(seen.body))
    with pytest.raises(Unavailable, match="not tried"):
        await wire.stub(prepare_calls(refuse)).say(kind)
    assert seen.remaining is None
    assert seen.metadata == []


async def test_preparing_behind_another_interceptor_keeps_its_place(wire: Wire, kind: Kind) -> None:
    """Order is code: an interceptor before it sees the call as it was."""
    seen = Seen()

    def prepare(call: Call) -> None:
        call.metadata.append(("x-second", "2"))

    @contextmanager
    def outer(call: Call) -> Iterator[None]:
        call.metadata.append(("x-first", "1"))
        yield

    await wire.host(wire.four(seen.body))
    await wire.stub([*around_client(outer), *prepare_calls(prepare)]).say(kind)
    assert seen.metadata == [("x-first", "1"), ("x-second", "2")]


async def test_a_call_given_up_by_its_caller_is_given_up_by_its_handler(wire: Wire, kind: Kind) -> None:
    """The prepared call is the transport's own call."""
    entered, left = asyncio.Event(), asyncio.Event()

    async def stay(value: str, context: Any) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    await wire.host(wire.four(stay))
    call = wire.stub(prepare_calls(lambda call: None)).begin(kind)
    await entered.wait()
    assert call.cancel()
    await left.wait()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_who_prepared_a_call_is_told_once_how_it_ended(wire: Wire, kind: Kind) -> None:
    """By its status: of an answer, of a refusal by the handler, of the caller's own cancel and of the deadline."""
    entered = asyncio.Event()
    told: list[tuple[str, grpc.StatusCode]] = []
    ended = asyncio.Semaphore(0)

    def watched(name: str) -> Prepare:
        def done(code: grpc.StatusCode) -> None:
            told.append((name, code))
            ended.release()

        return lambda call: done

    async def body(value: str, context: Any) -> None:
        entered.set()
        if value == "refuse":
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "away")
        if value == "stay":
            await asyncio.Event().wait()

    await wire.host(wire.four(body))
    stub = wire.stub(prepare_calls(watched("first"), lambda call: None, watched("second")))
    await stub.say(kind, "hello")
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.say(kind, "refuse")
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.say(kind, "stay", timeout=0.1)
    entered.clear()
    call = stub.begin(kind, "stay")
    await entered.wait()
    call.cancel()
    async with asyncio.timeout(5):
        for _ in range(8):
            await ended.acquire()
    codes = ("OK", "OUT_OF_RANGE", "DEADLINE_EXCEEDED", "CANCELLED")
    assert [(name, code.name) for name, code in told] == [
        (name, code) for code in codes for name in ("first", "second")
    ]


async def test_who_prepared_a_call_that_never_left_is_told_so(wire: Wire, kind: Kind) -> None:
    """Whether the next one refused it or the channel was closed, so that nothing it began stays open."""
    told: list[str] = []

    def watch(call: Call) -> Done:
        return lambda code: told.append(code.name)

    def refuse(call: Call) -> None:
        raise Unavailable("not tried", reason="CIRCUIT_OPEN")

    await wire.host(wire.four(Seen().body))
    with pytest.raises(Unavailable):
        await wire.stub(prepare_calls(watch, refuse)).say(kind)
    stub = wire.stub(prepare_calls(watch))
    await stub.channel.close()
    with pytest.raises(grpc.aio.UsageError):
        await stub.say(kind)
    assert told == ["UNKNOWN", "UNKNOWN"]


async def test_behind_an_interceptor_who_prepared_a_call_is_told_all_the_same(wire: Wire, kind: Kind) -> None:
    """There, an interceptor stands in for the channel."""
    told: asyncio.Queue[str] = asyncio.Queue()

    @contextmanager
    def outer(call: Call) -> Iterator[None]:
        yield

    def watch(call: Call) -> Done:
        return lambda code: told.put_nowait(code.name)

    await wire.host(wire.four(Seen().body))
    await wire.stub([*around_client(outer), *prepare_calls(watch)]).say(kind)
    async with asyncio.timeout(5):
        assert await told.get() == "OK"
    assert told.empty()


async def test_a_dropped_call_is_given_up_though_someone_waits_for_its_end(wire: Wire) -> None:
    """In process, being told of a call's end does not keep it alive; grpc itself keeps whoever has a callback."""
    entered, told = asyncio.Event(), asyncio.Event()

    async def stay(value: str, context: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    def watch(call: Call) -> Done:
        return lambda code: told.set()

    await wire.host(wire.four(stay))
    stub = wire.stub(prepare_calls(watch))
    call = stub.begin(Kind.UNARY_STREAM)
    await entered.wait()
    if isinstance(call, InProcessCall):
        del call
        gc.collect()
    else:
        call.cancel()
    async with asyncio.timeout(5):
        await told.wait()


async def test_a_prepared_channel_is_as_ready_as_the_one_beneath(wire: Wire) -> None:
    """And closing it closes that one."""
    seen = Seen()
    await wire.host(wire.four(seen.body))
    stub = wire.stub(prepare_calls(lambda call: None))
    channel = stub.channel
    assert isinstance(channel, PreparedChannel)
    await channel.channel_ready()
    assert channel.get_state() is grpc.ChannelConnectivity.READY
    async with channel:
        pass
    with pytest.raises(grpc.aio.UsageError, match="closed"):
        await stub.say(Kind.UNARY_UNARY)


def test_only_what_leads_is_taken_out_of_the_interceptors() -> None:
    """What stands behind an interceptor stays where it is."""

    def one(call: Call) -> None: ...

    def two(call: Call) -> None: ...

    first, others = prepare_calls(one, two), around_client()
    assert split([*first, *prepare_calls(two)]) == ((one, two, two), [])
    assert split([*others, *first]) == ((), [*others, *first])
    assert split([*first, *others, *first]) == ((one, two), [*others, *first])
    assert split([]) == ((), [])
