"""Server interceptors that put a wrapper around method handlers, made once per method instead of once per call."""

import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc

from penstock.wire.call import Kind

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:  # only type checkers know it as generic
    Handler = grpc.RpcMethodHandler
Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Awaitable[Any]]

# A service names its methods once, so only a generic handler that answers to any name gets here.
MAX_WRAPPED = 1024

_KINDS = {(kind.request_streaming, kind.response_streaming): kind for kind in Kind}
_ATTRIBUTES = {kind: kind.name.lower() for kind in Kind}


class HandlerWrapper(grpc.aio.ServerInterceptor):
    """Replaces every handler by what `wrap` makes of it."""

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    @abstractmethod
    def wrap(self, method: str, handler: Handler) -> Handler:
        """Returns the handler to serve `method` with; called once for each."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None and known[0] is handler:
            return known[1]
        if len(self._wrapped) >= MAX_WRAPPED:
            self._wrapped.clear()
        wrapped = self.wrap(method, handler)
        self._wrapped[method] = (handler, wrapped)
        return wrapped


def kind_of(handler: Handler) -> Kind:
    """Says which kind of rpc a handler answers."""
    return _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]


def as_coroutine(handler: Handler) -> Behaviour:
    """Returns the handler's function as a coroutine function, which writes what an async generator yields.

    Raises TypeError for a function that is not async.
    """
    behaviour = getattr(handler, _ATTRIBUTES[kind_of(handler)])
    if inspect.isasyncgenfunction(behaviour):

        async def write_all(request: Any, context: Context) -> None:
            async with aclosing(behaviour(request, context)) as messages:
                async for message in messages:
                    await context.write(message)

        return write_all
    if not inspect.iscoroutinefunction(behaviour):
        raise TypeError(f"{behaviour!r} is no async function: handlers here are async")
    coroutine_function: Behaviour = behaviour
    return coroutine_function


def with_behaviour(
    handler: Handler, behaviour: Behaviour, request_deserializer: Callable[[bytes], Any] | None = None
) -> Handler:
    """Returns the same method with another function behind it (and another request deserializer, if given)."""
    make = getattr(grpc, f"{_ATTRIBUTES[kind_of(handler)]}_rpc_method_handler")
    made: Handler = make(behaviour, request_deserializer or handler.request_deserializer, handler.response_serializer)
    return made
