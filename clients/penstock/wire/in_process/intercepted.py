"""Calls that pass through the channel's client interceptors before they start."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from functools import partial
from typing import Any

import grpc

from penstock.wire.call import Kind
from penstock.wire.in_process.answered import Answered, Iterated
from penstock.wire.in_process.invocation import Invocation
from penstock.wire.in_process.request_feed import RequestFeed

_MIXED_STYLES = "The iterator and read/write APIs may not be mixed on a single RPC."


async def run_interceptors(
    invocation: Invocation,
    interceptors: Sequence[Any],
    details: grpc.aio.ClientCallDetails,
    sent: Any,
) -> Any:
    """Passes a call through the interceptors, outermost first, and returns the call that comes out."""
    kind = invocation.kind
    name = f"intercept_{kind.name.lower()}"
    last: Any = None

    async def proceed(position: int, details: grpc.aio.ClientCallDetails, sent: Any) -> Any:
        nonlocal last
        if position == len(interceptors):
            method: Any = details.method
            last = invocation.start(
                sent,
                details.timeout,
                details.metadata,
                details.wait_for_ready,
                method.decode() if isinstance(method, bytes) else method,
            )
            return last
        intercept = getattr(interceptors[position], name)
        outcome = await intercept(partial(proceed, position + 1), details, sent)
        if isinstance(outcome, grpc.aio.Call):
            return outcome
        return Iterated.around(kind, last, outcome) if kind.response_streaming else Answered(outcome)

    return await proceed(0, details, sent)


class _Intercepted(grpc.aio.Call):
    """Stands for a call which interceptors may still be holding back."""

    def __init__(self, starting: "asyncio.Task[Any]", feed: RequestFeed | None = None) -> None:
        self._starting = starting
        self._feed = feed
        self._callbacks: list[Callable[[Any], object]] = []
        starting.add_done_callback(self._started)

    def __del__(self) -> None:
        ongoing: Any = self._starting if (call := self._call()) is None else call
        loop = self._starting.get_loop()
        if not ongoing.done() and not loop.is_closed():
            loop.call_soon_threadsafe(ongoing.cancel)  # garbage may be collected in any thread

    def _started(self, starting: "asyncio.Task[Any]") -> None:
        callbacks, self._callbacks = self._callbacks, []
        if self._feed is not None:
            feed = self._feed
            callbacks.append(lambda _: feed.abandon())
        for callback in callbacks:
            self.add_done_callback(callback)

    def _call(self) -> Any:
        starting = self._starting
        if not starting.done() or starting.cancelled() or starting.exception() is not None:
            return None
        return starting.result()

    async def _when_started(self) -> Any:
        # Cancelling one who waits for the start cancels the call, as grpc.aio does.
        return await self._starting

    def cancel(self) -> bool:
        call = self._call()
        return bool(self._starting.cancel() if call is None else call.cancel())

    def cancelled(self) -> bool:
        if (call := self._call()) is not None:
            return bool(call.cancelled())
        return self._starting.cancelled() or self._failure_code() is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        call = self._call()
        return self._starting.done() if call is None else bool(call.done())

    def time_remaining(self) -> float | None:
        call = self._call()
        remaining: float | None = None if call is None else call.time_remaining()
        return remaining

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        call = self._call()
        if call is not None:
            call.add_done_callback(lambda _: callback(self))
        elif self._starting.done():
            callback(self)
        else:
            self._callbacks.append(callback)

    async def initial_metadata(self) -> Any:
        return await self._from_call_or_error("initial_metadata", grpc.aio.Metadata())

    async def trailing_metadata(self) -> Any:
        return await self._from_call_or_error("trailing_metadata", grpc.aio.Metadata())

    async def code(self) -> Any:
        return await self._from_call_or_error("code", grpc.StatusCode.CANCELLED)

    async def details(self) -> Any:
        return await self._from_call_or_error("details", "Locally cancelled by application!")

    async def debug_error_string(self) -> Any:
        """Returns what is known of the end of the call, as text for people."""
        return await self._from_call_or_error("debug_error_string", "")

    async def wait_for_connection(self) -> None:
        await (await self._when_started()).wait_for_connection()

    def _failure_code(self) -> grpc.StatusCode | None:
        error = self._starting.exception() if self._starting.done() and not self._starting.cancelled() else None
        return error.code() if isinstance(error, grpc.aio.AioRpcError) else None

    async def _from_call_or_error(self, name: str, when_cancelled: Any) -> Any:
        try:
            call = await asyncio.shield(self._starting)
        except grpc.aio.AioRpcError as error:
            return getattr(error, name)()
        except asyncio.CancelledError:
            if not self._starting.cancelled():
                raise
            return when_cancelled
        return await getattr(call, name)()


class _UnaryResponse(_Intercepted):
    def __await__(self) -> Generator[Any, None, Any]:
        call = yield from self._starting.__await__()
        response = yield from call.__await__()
        return response


class _StreamResponse(_Intercepted):
    _responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._responses is None:
            self._responses = self._iterate()
        return self._responses

    async def _iterate(self) -> AsyncIterator[Any]:
        async for message in await self._when_started():
            yield message

    async def read(self) -> Any:
        return await (await self._when_started()).read()


class _StreamRequest(_Intercepted):
    async def write(self, request: Any) -> None:
        if self._feed is None:
            raise grpc.aio.UsageError(_MIXED_STYLES)
        try:
            call = await self._when_started()
        except grpc.aio.AioRpcError as error:
            raise asyncio.InvalidStateError("RPC already finished.") from error
        if call.done():
            raise asyncio.InvalidStateError("RPC already finished.")
        if self._feed.closed:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        await self._feed.put(request)
        if self._feed.abandoned:
            raise asyncio.InvalidStateError("RPC already finished.")

    async def done_writing(self) -> None:
        if self._feed is None:
            raise grpc.aio.UsageError(_MIXED_STYLES)
        self._feed.close()


class InterceptedUnaryUnary(_UnaryResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """An intercepted call with one request and one response."""


class InterceptedUnaryStream(_StreamResponse, grpc.aio.UnaryStreamCall[Any, Any]):
    """An intercepted call with one request and a stream of responses."""


class InterceptedStreamUnary(_StreamRequest, _UnaryResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """An intercepted call with a stream of requests and one response."""


class InterceptedStreamStream(_StreamRequest, _StreamResponse, grpc.aio.StreamStreamCall[Any, Any]):
    """An intercepted call with streams both ways."""


INTERCEPTED: dict[Kind, type[_Intercepted]] = {
    Kind.UNARY_UNARY: InterceptedUnaryUnary,
    Kind.UNARY_STREAM: InterceptedUnaryStream,
    Kind.STREAM_UNARY: InterceptedStreamUnary,
    Kind.STREAM_STREAM: InterceptedStreamStream,
}
