"""`GuardedDecode`: turns a request that is no valid message into INVALID_ARGUMENT, inside our own stack."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from penstock.wire.around import Behaviour, Handler, as_coroutine, kind_of, with_behaviour
from penstock.wire.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class _Malformed:
    """Stands for a request that could not be decoded, until the handler's wrapper raises it."""

    error: InvalidArgument


class GuardedDecode(grpc.aio.ServerInterceptor):
    """Raises InvalidArgument for malformed requests where concerns see it; place it innermost, after every Around.

    grpc decodes a single request before any handler runs, so that its decoder's text would reach the caller as
    UNKNOWN. The messages of a request stream are decoded while the handler reads, so raising there is enough.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, _wrap(method, handler))
        return known[1]


def _wrap(method: str, handler: Handler) -> Handler:
    decode: Callable[[bytes], Any] = handler.request_deserializer
    behaviour = as_coroutine(handler)

    def refused(error: Exception) -> InvalidArgument:
        refusal = InvalidArgument(
            f"the request of {method} is not a valid message of its type",
            [("request", "must be the protobuf encoding of the rpc's request message")],
        )
        refusal.__cause__ = error
        return refusal

    if kind_of(handler).request_streaming:

        def decode_or_raise(data: bytes) -> Any:
            try:
                return decode(data)
            except Exception as error:
                raise refused(error) from error

        return with_behaviour(handler, behaviour, decode_or_raise)

    def decode_or_note(data: bytes) -> Any:
        try:
            return decode(data)
        except Exception as error:
            return _Malformed(refused(error))

    return with_behaviour(handler, _raise_if_malformed(behaviour), decode_or_note)


def _raise_if_malformed(behaviour: Behaviour) -> Behaviour:
    async def checked(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if type(request) is _Malformed:
            raise request.error
        return await behaviour(request, context)

    return checked
