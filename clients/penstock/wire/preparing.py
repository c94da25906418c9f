"""`prepare_calls`: what is done to every call of a channel before it leaves, and once it is over.

def client_deadline(call: Call) -> None:
    call.timeout = clamp_timeout(call.timeout)

channel = open_channel(target, service=name, interceptors=prepare_calls(client_context, client_deadline))
"""

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from penstock.wire.call import Call, Kind
from penstock.wire.in_process.calls import InProcessCall
from penstock.wire.leaving import changed, leaving

# Told once how a call ended, also one that was cancelled, or that never left (UNKNOWN).
Done = Callable[[grpc.StatusCode], None]

# Changes the metadata or the timeout of a call that is about to leave, and returns whom to tell of its end, if anyone.
# Raising keeps it from leaving.
Prepare = Callable[[Call], Done | None]
Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Any]


def prepare(call: Call, prepares: Sequence[Prepare]) -> Sequence[Done]:
    """Prepares a call, and returns whom to tell of its end; when one refuses the call, those before it are told."""
    told: list[Done] | None = None
    try:
        for each in prepares:
            done = each(call)
            if done is not None:
                told = [done] if told is None else [*told, done]
    except BaseException:
        tell(told or (), grpc.StatusCode.UNKNOWN)
        raise
    return told or ()


def tell(told: Sequence[Done], code: grpc.StatusCode) -> None:
    """Tells how a call ended."""
    for done in told:
        done(code)


def tell_when_done(ongoing: Any, told: Sequence[Done]) -> None:
    """Tells how a call ended once it has."""
    if isinstance(ongoing, InProcessCall):
        ongoing.when_settled(lambda code: tell(told, code))
        return
    try:
        ongoing.add_done_callback(lambda call: tell(told, code_of_done(call)))
    except NotImplementedError:  # the call is over, and an interceptor put its bare response in its place
        tell(told, grpc.StatusCode.OK)


def code_of_done(call: grpc.aio.Call) -> grpc.StatusCode:
    """Returns the status of a call that is over: its coroutine then ends at once."""
    try:
        call.code().send(None)
    except StopIteration as ended:
        code: grpc.StatusCode = ended.value
        return code
    return grpc.StatusCode.UNKNOWN


class Preparing:
    """Carries what prepares the calls of one kind; `open_channel` applies it without an interceptor's task per call."""

    def __init__(self, kind: Kind, prepares: Sequence[Prepare]) -> None:
        self._kind = kind
        self.prepares = tuple(prepares)

    async def _proceed(self, proceed: Continuation, details: grpc.aio.ClientCallDetails, sent: Any) -> Any:
        call = leaving(self._kind, details)
        told = prepare(call, self.prepares)
        try:
            ongoing = await proceed(changed(details, call), sent)
        except BaseException:
            tell(told, grpc.StatusCode.UNKNOWN)
            raise
        if told:
            tell_when_done(ongoing, told)
        return ongoing


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
