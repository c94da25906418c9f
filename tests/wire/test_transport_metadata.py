"""Metadata goes both ways, in both transports alike."""

import asyncio
from typing import Any

import grpc
import pytest

from penstock.wire.call import Kind

SENT = (("x-request-id", "r-1"), ("x-tag", "one"), ("x-tag", "two"), ("x-raw-bin", b"\x00\xff\n"))


def ours(metadata: Any) -> list[tuple[str, str | bytes]]:
    return [(key, value) for key, value in metadata if key.startswith("x-")]


async def test_a_handler_sees_the_callers_metadata_in_order_with_repeats_and_bytes(wire: Any, kind: Kind) -> None:
    seen: list[Any] = []

    async def body(value: str, context: Any) -> None:
        seen.extend(context.invocation_metadata())

    stub = await wire.begin(wire.four(body))
    assert await stub.say(kind, metadata=SENT) == ["hello"]
    assert ours(seen) == list(SENT)
    assert [entry.key for entry in seen if entry.key == "x-request-id"] == ["x-request-id"]


async def test_a_caller_sees_initial_and_trailing_metadata(wire: Any, kind: Kind) -> None:
    async def body(value: str, context: Any) -> None:
        await context.send_initial_metadata(SENT)
        context.set_trailing_metadata((("x-end", "bye"), ("x-end-bin", b"\x01\x80")))

    stub = await wire.begin(wire.four(body))
    call = stub.begin(kind)
    assert ours(await call.initial_metadata()) == list(SENT)
    if kind.response_streaming:
        assert [message.value async for message in call] == ["hello"]
    else:
        assert (await call).value == "hello"
    assert ours(await call.trailing_metadata()) == [("x-end", "bye"), ("x-end-bin", b"\x01\x80")]


async def test_initial_metadata_arrive_before_the_first_message(wire: Any, kind: Kind) -> None:
    go_on = asyncio.Event()

    async def body(value: str, context: Any) -> None:
        await context.send_initial_metadata((("x-early", "yes"),))
        await go_on.wait()

    stub = await wire.begin(wire.four(body))
    call = stub.begin(kind)
    if kind is not Kind.UNARY_UNARY:  # one batch over TCP, which is complete only when all of it is
        assert ours(await call.initial_metadata()) == [("x-early", "yes")]
    go_on.set()
    assert await call.code() is grpc.StatusCode.OK if not kind.response_streaming else [m async for m in call]


async def test_initial_metadata_can_be_sent_only_once(wire: Any, kind: Kind) -> None:
    refused: list[str] = []

    async def body(value: str, context: Any) -> None:
        await context.send_initial_metadata(())
        try:
            await context.send_initial_metadata(())
        except grpc.aio.UsageError as error:
            refused.append(str(error))

    stub = await wire.begin(wire.four(body))
    assert await stub.say(kind) == ["hello"]
    assert refused == ["Send initial metadata failed: already sent"]


@pytest.mark.parametrize(
    "illegal",
    [("X-Upper", "a"), ("", "a"), ("with space", "a"), ("x-value", "line\nbreak"), ("x-value", "caf\u00e9")],
    ids=["upper case", "empty", "space", "control character", "not ascii"],
)
async def test_illegal_metadata_never_reach_a_handler(wire: Any, kind: Kind, illegal: tuple[str, str]) -> None:
    seen: list[Any] = []

    async def body(value: str, context: Any) -> None:
        seen.append(context)

    stub = await wire.begin(wire.four(body))
    # grpc.aio has another error for each kind.
    with pytest.raises((grpc.aio.AioRpcError, grpc.aio.InternalError, asyncio.CancelledError)):
        await stub.say(kind, metadata=(illegal,), timeout=5)
    assert not seen


async def test_illegal_metadata_of_a_handler_end_the_call_with_internal(wire: Any, kind: Kind) -> None:
    async def body(value: str, context: Any) -> None:
        context.set_trailing_metadata((("X-Upper", "a"),))

    stub = await wire.begin(wire.four(body))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.say(kind)
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert failed.value.details() == "Invalid metadata"


async def test_text_under_a_binary_key_is_a_type_error(wire: Any, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    with pytest.raises(TypeError, match="expected bytes"):
        await stub.say(Kind.UNARY_UNARY, metadata=(("x-bin", "text"),))


async def test_metadata_over_sixteen_kib_are_refused(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.say(kind, metadata=(("x-big", "x" * 20_000),))
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "metadata size exceeds hard limit" in failed.value.details()
