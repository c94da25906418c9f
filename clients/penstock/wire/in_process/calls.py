"""The caller's end of an in-process call, for all four kinds."""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Generator, Iterable
from functools import partial
from typing import Any

import grpc

from penstock.wire.in_process.exchange import Exchange
from penstock.wire.in_process.final_status import DROPPED, FinalStatus
from penstock.wire.in_process.limits import MAX_MESSAGE_BYTES

_LOGGER = logging.getLogger(__name__)

_MIXED_STYLES = "The iterator and read/write APIs may not be mixed on a single RPC."
_OVER = "RPC already finished."
_HALF_CLOSED = 'RPC is half closed after calling "done_writing".'

Serialize = Callable[[Any], bytes] | None
Deserialize = Callable[[bytes], Any] | None
Requests = AsyncIterable[Any] | Iterable[Any]
Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class InProcessCall(grpc.aio.Call):
    """Holds what all four kinds have in common: metadata, status and cancellation."""

    def __init__(self, exchange: Exchange, deserialize: Deserialize) -> None:
        self._exchange = exchange
        self._deserialize = deserialize

    def __del__(self) -> None:
        exchange = self._exchange
        if exchange.status is None and not exchange.loop.is_closed():
            # Garbage may be collected in any thread, and the loop's own is the only one that may end a call.
            exchange.loop.call_soon_threadsafe(exchange.cancel, DROPPED)

    def cancelled(self) -> bool:
        status = self._exchange.status
        return status is not None and status.code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self._exchange.status is not None

    def time_remaining(self) -> float | None:
        return self._exchange.time_remaining()

    def cancel(self) -> bool:
        return self._exchange.cancel()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self._exchange.on_settled(partial(callback, self))

    def when_settled(self, callback: Callable[[grpc.StatusCode], object]) -> None:
        """Calls back with the status once there is one; unlike a done callback, this doesn't keep the call alive."""
        exchange = self._exchange
        exchange.on_settled(lambda: callback(exchange.status.code if exchange.status else grpc.StatusCode.UNKNOWN))

    async def initial_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*await self._exchange.initial_metadata())

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*(await self._exchange.settled()).trailing)

    async def code(self) -> grpc.StatusCode:
        return (await self._exchange.settled()).code

    async def details(self) -> str:
        return (await self._exchange.settled()).details

    async def debug_error_string(self) -> str:
        """Returns what is known of the end of the call, as text for people."""
        status = await self._exchange.settled()
        return "" if status.code is grpc.StatusCode.OK else f"in-process: {status.details}"

    async def wait_for_connection(self) -> None:
        await self._exchange.initial_metadata()
        if self._exchange.status is not None:
            self._raise_unless_ok(self._exchange.status)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._exchange.method}: {self._exchange.status or 'ongoing'}>"

    def _raise_unless_ok(self, status: FinalStatus) -> None:
        if self._exchange.locally_cancelled:
            raise asyncio.CancelledError
        if status.code is not grpc.StatusCode.OK:
            raise status.error(self._exchange.initial or ())

    def _decoded(self, raw: bytes) -> Any:
        try:
            return raw if self._deserialize is None else self._deserialize(raw)
        except Exception as error:
            self._exchange.cancel()
            failure = FinalStatus(grpc.StatusCode.INTERNAL, "Exception deserializing response!")
            raise failure.error(self._exchange.initial or ()) from error


class _UnaryResponse(InProcessCall):
    _response: Any = None
    _received = False

    def __await__(self) -> Generator[Any, None, Any]:
        exchange = self._exchange
        if exchange.status is None:
            try:
                yield from exchange.settling()
            except asyncio.CancelledError:
                self.cancel()
                raise
        status = exchange.status
        assert status is not None  # what was just waited for
        self._raise_unless_ok(status)
        if not self._received:
            if not exchange.responses.messages:
                raise FinalStatus(grpc.StatusCode.INTERNAL, "the handler sent no response").error(())
            self._response = self._decoded(exchange.responses.pop())
            self._received = True
        return self._response


class _StreamResponse(InProcessCall):
    _iterated: bool | None = None  # None: neither iterated nor read yet

    def __aiter__(self) -> AsyncIterator[Any]:
        self._choose_style(iterated=True)
        return ResponseStream(self)

    async def read(self) -> Any:
        if self._exchange.status is not None and not self._exchange.responses.messages:
            self._raise_unless_ok(self._exchange.status)
            return grpc.aio.EOF
        self._choose_style(iterated=False)
        return await self.next_response()

    async def next_response(self) -> Any:
        """Returns the next message, EOF after the last one, or raises how the call failed."""
        exchange = self._exchange
        messages = exchange.responses.messages
        while not messages:
            if exchange.status is not None:
                self._raise_unless_ok(exchange.status)
                return grpc.aio.EOF
            try:
                await exchange.responses.arrival()
            except asyncio.CancelledError:
                self.cancel()
                raise
        return self._decoded(exchange.take_response())

    def _choose_style(self, iterated: bool) -> None:
        if self._iterated is None:
            self._iterated = iterated
        elif self._iterated is not iterated:
            raise grpc.aio.UsageError(_MIXED_STYLES)


class ResponseStream:
    """Iterates over the responses of a call."""

    __slots__ = ("_call",)

    def __init__(self, call: _StreamResponse) -> None:
        self._call = call

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        message = await self._call.next_response()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message


class _StreamRequest(InProcessCall):
    _writes = True
    _half_closed = False

    def __init__(
        self,
        exchange: Exchange,
        serialize: Serialize,
        deserialize: Deserialize,
        requests: Requests | None,
        spawn: Spawn,
    ) -> None:
        super().__init__(exchange, deserialize)
        self._serialize = serialize
        if requests is not None:
            self._writes = False
            sending = spawn(self._send_all(requests))
            exchange.on_settled(sending.cancel)

    async def write(self, request: Any) -> None:
        self._require_writes()
        await self._write(request)

    async def done_writing(self) -> None:
        self._require_writes()
        self._close()

    async def wait_for_connection(self) -> None:
        # Not for the initial metadata: the handler may send them only after it has read something.
        if self._exchange.status is not None:
            self._raise_unless_ok(self._exchange.status)

    def _require_writes(self) -> None:
        if not self._writes:
            raise grpc.aio.UsageError(_MIXED_STYLES)

    def _close(self) -> None:
        self._half_closed = True
        self._exchange.requests.close()

    async def _write(self, request: Any) -> None:
        exchange = self._exchange
        if exchange.status is not None:
            raise asyncio.InvalidStateError(_OVER)
        if self._half_closed:
            raise asyncio.InvalidStateError(_HALF_CLOSED)
        raw = request if self._serialize is None else self._serialize(request)
        if len(raw) > MAX_MESSAGE_BYTES:
            exchange.break_off(oversized(raw))
        elif exchange.requests.full:
            try:
                await exchange.requests.room()
            except asyncio.CancelledError:
                self.cancel()
                raise
        if exchange.status is not None:
            self._raise_unless_ok(exchange.status)
            raise asyncio.InvalidStateError(_OVER)
        exchange.requests.push(raw)

    async def _send_all(self, requests: Requests) -> None:
        try:
            if isinstance(requests, AsyncIterable):
                async for request in requests:
                    await self._write(request)
            else:
                for request in requests:
                    await self._write(request)
        except asyncio.CancelledError:
            self.cancel()
            raise
        except Exception as error:
            # A call that has ended takes no more requests; else it is the caller's own iterator that failed.
            if self.cancel():
                _LOGGER.debug("the requests of %s failed", self._exchange.method, exc_info=error)
        else:
            self._close()


def oversized(raw: bytes) -> FinalStatus:
    """Returns how a call ends whose request is over the limit."""
    details = f"CLIENT: Sent message larger than max ({len(raw)} vs. {MAX_MESSAGE_BYTES})"
    return FinalStatus(grpc.StatusCode.RESOURCE_EXHAUSTED, details)


class UnaryUnary(_UnaryResponse, grpc.aio.UnaryUnaryCall[Any, Any]):
    """A call with one request and one response."""


class UnaryStream(_StreamResponse, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with one request and a stream of responses."""


class StreamUnary(_StreamRequest, _UnaryResponse, grpc.aio.StreamUnaryCall[Any, Any]):
    """A call with a stream of requests and one response."""


class StreamStream(_StreamRequest, _StreamResponse, grpc.aio.StreamStreamCall[Any, Any]):
    """A call with streams both ways."""
