"""`GuardedDecode`: turns a request that is no valid message into InvalidArgument, inside our own stack."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.wire.errors import InvalidArgument
from penstock.wire.handlers import Behaviour, Context, Handler, HandlerWrapper, as_coroutine, kind_of, with_behaviour


@dataclass(frozen=True, slots=True)
class _Malformed:
    """Stands for a request that could not be decoded, until the handler's wrapper raises the error."""

    error: InvalidArgument


class GuardedDecode(HandlerWrapper):
    """Raises InvalidArgument for malformed requests where concerns see it; place it innermost, after every Around.

    grpc decodes a single request before any handler runs, and so would send its decoder's text to the caller as
    UNKNOWN. The messages of a request stream are decoded while the handler reads: raising there is enough.
    """

    def wrap(self, method: str, handler: Handler) -> Handler:
        decode = handler.request_deserializer
        if decode is None:
            return handler
        behaviour = as_coroutine(handler)
        if kind_of(handler).request_streaming:
            return with_behaviour(handler, behaviour, _decode_or_raise(method, decode))
        return with_behaviour(handler, _raise_if_malformed(behaviour), _decode_or_note(method, decode))


def _decode_or_raise(method: str, decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode_or_raise(data: bytes) -> Any:
        try:
            return decode(data)
        except Exception as error:
            raise _refusal(method) from error

    return decode_or_raise


def _decode_or_note(method: str, decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def decode_or_note(data: bytes) -> Any:
        try:
            return decode(data)
        except Exception:
            return _Malformed(_refusal(method))

    return decode_or_note


def _raise_if_malformed(behaviour: Behaviour) -> Behaviour:
    async def checked(request: Any, context: Context) -> Any:
        if type(request) is _Malformed:
            raise request.error
        return await behaviour(request, context)

    return checked


def _refusal(method: str) -> InvalidArgument:
    return InvalidArgument(
        f"the request of {method} is not a valid message",
        [("request", "must be the protobuf encoding of the rpc's request message")],
    )
