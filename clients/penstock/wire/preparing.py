"""`prepare_calls`: what is added to every call of a channel before it leaves, where nothing needs to be done after it.

def client_deadline(call: Call) -> None:
    call.timeout = clamp_timeout(call.timeout)

channel = open_channel(target, service=name, interceptors=prepare_calls(client_context, client_deadline))
"""

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from penstock.wire.call import Call, Kind
from penstock.wire.leaving import changed, leaving

# Changes the metadata or the timeout of a call that is about to leave. Raising keeps it from leaving.
Prepare = Callable[[Call], None]
Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Any]


class Preparing:
    """Carries what prepares the calls of one kind; `open_channel` applies it without an interceptor's task per call."""

    def __init__(self, kind: Kind, prepares: Sequence[Prepare]) -> None:
        self._kind = kind
        self.prepares = tuple(prepares)

    async def _proceed(self, proceed: Continuation, details: grpc.aio.ClientCallDetails, sent: Any) -> Any:
        call = leaving(self._kind, details)
        for prepare in self.prepares:
            prepare(call)
        return await proceed(changed(details, call), sent)


class _UnaryUnary(Preparing, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await self._proceed(continuation, client_call_details, request)


class _UnaryStream(Preparing, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await self._proceed(continuation, client_call_details, request)


class _StreamUnary(Preparing, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request_iterator: Any
    ) -> Any:
        return await self._proceed(continuation, client_call_details, request_iterator)


class _StreamStream(Preparing, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Continuation, client_call_details: grpc.aio.ClientCallDetails, request_iterator: Any
    ) -> Any:
        return await self._proceed(continuation, client_call_details, request_iterator)


def prepare_calls(*prepares: Prepare) -> list[grpc.aio.ClientInterceptor]:
    """Returns client interceptors that prepare every call of a channel, in this order."""
    return [
        _UnaryUnary(Kind.UNARY_UNARY, prepares),
        _UnaryStream(Kind.UNARY_STREAM, prepares),
        _StreamUnary(Kind.STREAM_UNARY, prepares),
        _StreamStream(Kind.STREAM_STREAM, prepares),
    ]


def split(
    interceptors: Sequence[grpc.aio.ClientInterceptor],
) -> tuple[tuple[Prepare, ...], list[grpc.aio.ClientInterceptor]]:
    """Separates what only prepares calls, and stands before all else, from the other interceptors."""
    leading = next((place for place, one in enumerate(interceptors) if not isinstance(one, Preparing)), None)
    first, rest = (interceptors, ()) if leading is None else (interceptors[:leading], interceptors[leading:])
    # Each set stands there once for each kind of rpc.
    prepares = tuple(prepare for one in first if isinstance(one, _UnaryUnary) for prepare in one.prepares)
    return prepares, list(rest)
