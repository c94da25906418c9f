"""Deadlines and cancellation reach the other end, in both transports alike."""

import asyncio
import gc
from typing import Any

import grpc
import pytest

from penstock.wire.call import Kind


class Stuck:
    """The body of a handler that waits until it is cancelled, and says so."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.remaining: float | None = None

    async def __call__(self, value: str, context: Any) -> None:
        self.remaining = context.time_remaining()
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def finish(kind: Kind, call: Any) -> None:
    if kind.response_streaming:
        async for _ in call:
            pass
    else:
        await call


async def test_a_handler_knows_the_time_left(wire: Any, kind: Kind) -> None:
    seen: list[float | None] = []

    async def body(value: str, context: Any) -> None:
        seen.append(context.time_remaining())

    stub = await wire.begin(wire.four(body))
    await stub.say(kind, timeout=30)
    await stub.say(kind)
    assert 25 < seen[0] < 31
    assert seen[1] is None


async def test_a_deadline_ends_the_call_and_cancels_the_handler(wire: Any, kind: Kind) -> None:
    stuck = Stuck()
    stub = await wire.begin(wire.four(stuck))
    for seconds in (0.15, 0.9, 4.0):
        call = stub.begin(kind, timeout=seconds)
        assert call.time_remaining() <= seconds
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await finish(kind, call)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "Deadline Exceeded" in failed.value.details()
        if stuck.entered.is_set():  # else a busy machine let the time pass before there was a handler
            break
    await stuck.cancelled.wait()
    assert stuck.remaining < seconds + 0.1


async def test_a_deadline_that_has_passed_ends_the_call_at_once(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.say(kind, timeout=-1)
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_cancelling_a_call_cancels_its_handler(wire: Any, kind: Kind) -> None:
    stuck = Stuck()
    stub = await wire.begin(wire.four(stuck))
    call = stub.begin(kind)
    await stuck.entered.wait()
    assert not call.done()
    assert call.cancel()
    assert not call.cancel()
    await stuck.cancelled.wait()
    assert call.cancelled()
    assert call.done()
    with pytest.raises(asyncio.CancelledError):
        await finish(kind, call)
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert await call.details() == "Locally cancelled by application!"


async def test_cancelling_the_task_that_waits_cancels_the_handler(wire: Any, kind: Kind) -> None:
    stuck = Stuck()
    stub = await wire.begin(wire.four(stuck))
    call = stub.begin(kind)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(finish(kind, call))
        await stuck.entered.wait()
        waiting.cancel()
    await stuck.cancelled.wait()
    assert call.cancelled()


async def test_cancelling_a_call_before_it_starts_is_quiet(wire: Any, kind: Kind, unused: Any) -> None:
    stub = await wire.begin(wire.four(unused))
    call = stub.begin(kind)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finish(kind, call)


async def test_a_call_that_nobody_holds_is_cancelled(wire: Any) -> None:
    stuck = Stuck()
    stub = await wire.begin(wire.four(stuck))
    call = stub.begin(Kind.UNARY_STREAM)
    await stuck.entered.wait()
    if wire.transport == "tcp":
        call.cancel()  # grpc.aio's calls hold themselves while their task is waiting
    del call
    gc.collect()
    await stuck.cancelled.wait()


async def test_a_stream_cancelled_halfway_loses_what_was_not_read(wire: Any) -> None:
    halted = asyncio.Event()

    async def unary_stream(request: Any, context: Any) -> Any:
        try:
            for _ in range(3):
                yield request
            await asyncio.Event().wait()
        finally:
            halted.set()

    stub = await wire.begin({Kind.UNARY_STREAM: unary_stream})
    call = stub.begin(Kind.UNARY_STREAM)
    assert (await call.read()).value == "hello"
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    await halted.wait()


async def test_a_request_iterator_that_fails_cancels_the_call(wire: Any) -> None:
    async def failing() -> Any:
        raise RuntimeError("mine")
        yield

    stuck = Stuck()
    stub = await wire.begin(wire.four(stuck))
    for kind in (Kind.STREAM_UNARY, Kind.STREAM_STREAM):
        with pytest.raises(asyncio.CancelledError):
            await finish(kind, stub.method(kind)(failing()))


async def test_a_handler_that_outlives_its_call_cannot_answer_any_more(wire: Any) -> None:
    late: asyncio.Queue[str] = asyncio.Queue()
    stuck = Stuck()

    async def unary_stream(request: Any, context: Any) -> None:
        try:
            await stuck(request.value, context)
        except asyncio.CancelledError:
            try:
                await context.write(request)
            except BaseException as error:
                late.put_nowait(type(error).__name__)
            raise

    stub = await wire.begin({Kind.UNARY_STREAM: unary_stream})
    call = stub.begin(Kind.UNARY_STREAM)
    await stuck.entered.wait()
    call.cancel()
    assert await late.get()
