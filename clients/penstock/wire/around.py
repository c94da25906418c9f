"""`Around`: puts a concern, written once, around rpcs of all four kinds, on either side.

A concern is an async context manager function: what stands before its `yield` happens before the call, and a failed
call raises at the `yield`.

    @asynccontextmanager
    async def errors(call: Call) -> AsyncGenerator[None]:
        try:
            yield
        except PenstockError as error:
            await call.context.abort_with_status(to_status(error))

    server = grpc.aio.server(interceptors=[Around(observe), Around(errors), GuardedDecode()])
"""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from contextvars import ContextVar
from typing import Any

import grpc

from penstock.wire.call import Call, Kind, Side

Concern = Callable[[Call], AbstractAsyncContextManager[None]]
Handler = grpc.RpcMethodHandler[Any, Any]
Behaviour = Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]

# A service names its methods once, so this is only reached by a generic handler that answers to any name.
MAX_WRAPPED = 1024

_KINDS = {(kind.request_streaming, kind.response_streaming): kind for kind in Kind}
_ATTRIBUTES = {kind: kind.name.lower() for kind in Kind}

# Reading the metadata of a grpc call copies it: all concerns around one rpc share one Call.
_served: ContextVar[Call | None] = ContextVar("_served", default=None)


class Around(grpc.aio.ServerInterceptor):
    """Runs every rpc of a server inside the given concerns, outermost first, at no cost per message."""

    def __init__(self, *concerns: Concern) -> None:
        self._concerns = concerns
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

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
        wrapped = self._wrap(method, handler)
        self._wrapped[method] = (handler, wrapped)
        return wrapped

    def _wrap(self, method: str, handler: Handler) -> Handler:
        kind = kind_of(handler)
        behaviour = as_coroutine(handler)
        for concern in reversed(self._concerns):
            behaviour = _inside(concern, method, kind, behaviour)
        return with_behaviour(handler, behaviour)


def kind_of(handler: Handler) -> Kind:
    """Says which kind of rpc a handler answers."""
    return _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]


def as_coroutine(handler: Handler) -> Behaviour:
    """Returns the handler's function as a coroutine function, which writes what an async generator yields.

    Raises TypeError for a handler that is not async.
    """
    behaviour = getattr(handler, _ATTRIBUTES[kind_of(handler)])
    if inspect.isasyncgenfunction(behaviour):

        async def write_all(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            async with aclosing(behaviour(request, context)) as messages:
                async for message in messages:
                    await context.write(message)

        return write_all
    if not inspect.iscoroutinefunction(behaviour):
        raise TypeError(f"{behaviour!r} is no async function: handlers here are async")
    return behaviour


def with_behaviour(
    handler: Handler, behaviour: Behaviour, request_deserializer: Callable[[bytes], Any] | None = None
) -> Handler:
    """Returns the same method with another function behind it (and another request deserializer, if given)."""
    make = getattr(grpc, f"{_ATTRIBUTES[kind_of(handler)]}_rpc_method_handler")
    made: Handler = make(behaviour, request_deserializer or handler.request_deserializer, handler.response_serializer)
    return made


def _inside(concern: Concern, method: str, kind: Kind, behaviour: Behaviour) -> Behaviour:
    async def guarded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        call = _served.get()
        if call is None or call.servicer_context is not context:
            call = _arrived(method, kind, context)
            _served.set(call)
        async with concern(call):
            try:
                return await behaviour(request, context)
            except SystemExit as exit_request:
                # grpc lets it end the whole process, and with it everybody else's calls.
                raise RuntimeError("the handler tried to end the process") from exit_request

    return guarded


def _arrived(method: str, kind: Kind, context: grpc.aio.ServicerContext[Any, Any]) -> Call:
    metadata = context.invocation_metadata() or ()
    return Call(
        method=method,
        kind=kind,
        side=Side.SERVER,
        metadata=[(key, value) for key, value in metadata],
        timeout=context.time_remaining(),
        servicer_context=context,
    )
