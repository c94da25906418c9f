"""`around_client`: the caller's half of putting concerns around rpcs of all four kinds."""

import asyncio
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

import grpc

from penstock.wire.call import Call, Kind
from penstock.wire.concern import Concern, as_enclosing
from penstock.wire.leaving import changed, leaving

_LOGGER = logging.getLogger(__name__)

Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Any]
Body = Callable[[], Awaitable[Any]]
Run = Callable[[Call, Body], Awaitable[Any]]


def around_client(*concerns: Concern) -> list[grpc.aio.ClientInterceptor]:
    """Returns client interceptors which run every rpc of a channel inside the given concerns, outermost first.

    Concerns may change `call.metadata` and `call.timeout` before they yield. An error that a concern raises before
    the call starts, or around a unary response, reaches the caller. A stream's concerns learn how it ended, but its
    reader sees the end itself, not what they make of it: standing between costs time on each message.
    """
    # grpc files an interceptor object under one kind only, so each kind has its own.
    return [_UnaryUnary(concerns), _UnaryStream(concerns), _StreamUnary(concerns), _StreamStream(concerns)]


class _Concerned:
    def __init__(self, concerns: tuple[Concern, ...]) -> None:
        self._run = _nested(concerns)
        self._open_streams: set[asyncio.Task[None]] = set()

    async def _answered(self, kind: Kind, proceed: Continuation, details: grpc.aio.ClientCallDetails, sent: Any) -> Any:
        call = leaving(kind, details)

        async def body() -> Any:
            ongoing = await proceed(changed(details, call), sent)
            try:
                await ongoing
            finally:
                ongoing.cancel()  # does nothing to a call that is over
            return ongoing

        return await self._run(call, body)

    async def _streaming(
        self, kind: Kind, proceed: Continuation, details: grpc.aio.ClientCallDetails, sent: Any
    ) -> Any:
        call = leaving(kind, details)
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def body() -> None:
            ongoing = await proceed(changed(details, call), sent)
            try:
                if not started.done():
                    started.set_result(ongoing)
                await _ended(ongoing)
            finally:
                ongoing.cancel()

        # The concerns outlive this coroutine, which must end for the caller to get the stream; they end with the call.
        held = asyncio.create_task(self._hold(call, body, started))
        self._open_streams.add(held)
        held.add_done_callback(self._open_streams.discard)
        try:
            return await started
        except asyncio.CancelledError:
            held.cancel()
            raise

    async def _hold(self, call: Call, body: Body, started: "asyncio.Future[Any]") -> None:
        try:
            await self._run(call, body)
        except asyncio.CancelledError:
            started.cancel()
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            # Otherwise it was the call that was cancelled, which the concerns have been told.
        except Exception as error:
            if not started.done():
                started.set_exception(error)
            elif not isinstance(error, grpc.aio.AioRpcError):
                _LOGGER.exception("a concern around %s failed after the call had ended", call.method)


def _nested(concerns: tuple[Concern, ...]) -> Run:
    async def innermost(call: Call, body: Body) -> Any:
        return await body()

    run: Run = innermost
    for concern in reversed(concerns):
        run = _inside(concern, run)
    return run


def _inside(concern: Concern, run: Run) -> Run:
    enclose = as_enclosing(concern)

    async def guarded(call: Call, body: Body) -> Any:
        return await enclose(call, lambda: run(call, body))

    return guarded


async def _ended(ongoing: grpc.aio.Call) -> None:
    code = await ongoing.code()
    if code is grpc.StatusCode.OK:
        return
    if ongoing.cancelled():
        raise asyncio.CancelledError
    raise grpc.aio.AioRpcError(
        code, await ongoing.initial_metadata(), await ongoing.trailing_metadata(), await ongoing.details()
    )


class _UnaryUnary(_Concerned, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await self._answered(Kind.UNARY_UNARY, continuation, client_call_details, request)


class _UnaryStream(_Concerned, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await self._streaming(Kind.UNARY_STREAM, continuation, client_call_details, request)


class _StreamUnary(_Concerned, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self,
        continuation: Continuation,
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: AsyncIterable[Any] | Iterable[Any],
    ) -> Any:
        return await self._streaming(Kind.STREAM_UNARY, continuation, client_call_details, request_iterator)


class _StreamStream(_Concerned, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self,
        continuation: Continuation,
        client_call_details: grpc.aio.ClientCallDetails,
        request_iterator: AsyncIterable[Any] | Iterable[Any],
    ) -> Any:
        return await self._streaming(Kind.STREAM_STREAM, continuation, client_call_details, request_iterator)
