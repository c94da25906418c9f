"""The handler's end of an in-process call."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, NoReturn

import grpc

from penstock.wire.in_process.exchange import Exchange
from penstock.wire.in_process.final_status import INVALID_METADATA, FinalStatus
from penstock.wire.in_process.limits import MAX_MESSAGE_BYTES
from penstock.wire.in_process.metadata import InvalidMetadata, OversizedMetadata, carried

_LOGGER = logging.getLogger(__name__)
_OK = grpc.StatusCode.OK


class InProcessServicerContext(grpc.aio.ServicerContext[Any, Any]):
    """Represents one call to its handler, as grpc.aio's own context does."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.deserialize: Callable[[bytes], Any] | None = None
        self.serialize: Callable[[Any], bytes] | None = None
        self.abort_error: grpc.aio.AbortError | None = None
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailing: tuple[tuple[str, str | bytes], ...] = ()
        self._callbacks: list[Callable[[Any], object]] = []

    def raise_if_over(self) -> None:
        """Raises what stops a handler that goes on after the end of its call."""
        if self.abort_error is not None:
            raise self.abort_error
        if self.exchange.finished:
            raise grpc.aio.UsageError("RPC already finished.")

    async def read(self) -> Any:
        self.raise_if_over()
        requests = self.exchange.requests
        while not requests.messages:
            if requests.closed:
                return grpc.aio.EOF
            await requests.arrival()
            self.raise_if_over()
        return self.decoded(requests.pop())

    def decoded(self, raw: bytes) -> Any:
        """Returns a request as its message, with whatever the deserializer raises."""
        return raw if self.deserialize is None else self.deserialize(raw)

    async def write(self, message: Any) -> None:
        self.raise_if_over()
        raw = self.encoded(message)
        exchange = self.exchange
        responses = exchange.responses
        if responses.full:
            await responses.room()
            self.raise_if_over()
        if exchange.initial is None:
            exchange.begin_response()
        responses.push(raw)

    def encoded(self, message: Any) -> bytes:
        """Returns a response as bytes; one over the limit ends the call (InternalError for the handler)."""
        raw = message if self.serialize is None else self.serialize(message)
        if not isinstance(raw, bytes):
            raise TypeError(f"Expected bytes, got {type(raw).__name__}")
        if len(raw) > MAX_MESSAGE_BYTES:
            details = f"SERVER: Sent message larger than max ({len(raw)} vs. {MAX_MESSAGE_BYTES})"
            self._fail(FinalStatus(grpc.StatusCode.RESOURCE_EXHAUSTED, details))
        return raw

    async def send_initial_metadata(self, initial_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        self.raise_if_over()
        if self.exchange.initial is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        try:
            self.exchange.begin_response(carried(initial_metadata))
        except (InvalidMetadata, OversizedMetadata):
            self._fail(INVALID_METADATA)

    async def abort(
        self,
        code: grpc.StatusCode,
        details: str = "",
        trailing_metadata: Iterable[tuple[str, str | bytes]] = (),
    ) -> NoReturn:
        if self.abort_error is not None:
            raise grpc.aio.UsageError("Abort already called!")
        self.abort_error = grpc.aio.AbortError("Locally aborted.")
        self._details = details or self._details
        self._trailing = tuple(trailing_metadata) or self._trailing
        # There is no aborting with success; over HTTP/2 such a call would never end.
        self._code = grpc.StatusCode.UNKNOWN if code is _OK else code
        self.finish(self._code, self._details)
        raise self.abort_error

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        await self.abort(status.code, status.details, status.trailing_metadata)

    def finish(self, code: grpc.StatusCode, details: str) -> None:
        """Ends the call with the trailing metadata set so far."""
        try:
            status = FinalStatus(code, details, carried(self._trailing) if self._trailing else ())
        except (InvalidMetadata, OversizedMetadata):
            status = INVALID_METADATA
        self.exchange.finish(status)

    def finish_as_set(self) -> None:
        """Ends the call as the handler has set it: OK unless `set_code` said otherwise."""
        self.finish(self._code or _OK, self._details)

    def set_trailing_metadata(self, trailing_metadata: Iterable[tuple[str, str | bytes]]) -> None:
        self._trailing = tuple(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._trailing

    def invocation_metadata(self) -> Any:
        return self.exchange.metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> Any:
        return self._code

    def set_details(self, details: str) -> None:
        self._details = details

    def details(self) -> str:
        return self._details

    def set_compression(self, compression: grpc.Compression) -> None:
        if self.exchange.initial is not None:
            raise RuntimeError("Compression setting must be specified before sending initial metadata")

    def disable_next_message_compression(self) -> None:
        """Does nothing: there is no compression where nothing is sent."""

    def peer(self) -> str:
        return self.exchange.peer

    def peer_identities(self) -> Iterable[bytes] | None:
        return None

    def peer_identity_key(self) -> str | None:
        return None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return {}

    def time_remaining(self) -> Any:
        return self.exchange.time_remaining()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self._callbacks.append(callback)

    def cancelled(self) -> bool:
        return self._code is grpc.StatusCode.CANCELLED

    def done(self) -> bool:
        return self.exchange.finished

    def run_done_callbacks(self) -> None:
        """Tells those who asked that the handler has ended."""
        for callback in self._callbacks:
            try:
                callback(self)
            except Exception:
                _LOGGER.exception("a done callback of %s failed", self.exchange.method)

    def _fail(self, status: FinalStatus) -> NoReturn:
        self.exchange.finish(status)
        raise grpc.aio.InternalError(status.details)


class RequestStream:
    """Iterates over the messages of a request stream without a task switch while there are some."""

    __slots__ = ("_context",)

    def __init__(self, context: InProcessServicerContext) -> None:
        self._context = context

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        message = await self._context.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message
