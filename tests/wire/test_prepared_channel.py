"""Calls that are prepared before they leave: every kind, over both transports, as an interceptor would."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from penstock.wire.around import around_client
from penstock.wire.call import Call, Kind, Side
from penstock.wire.errors import Unavailable
from penstock.wire.prepared_channel import PreparedChannel
from penstock.wire.preparing import prepare_calls, split
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
    assert 0 < seen.remaining <= 5
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
