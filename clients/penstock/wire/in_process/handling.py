"""Runs the handler of one in-process call and turns however it ends into the call's status."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from inspect import isasyncgen
from types import CoroutineType
from typing import Any

import grpc

from penstock.wire.handlers import Handler
from penstock.wire.in_process.exchange import Exchange
from penstock.wire.in_process.final_status import HANDLER_CANCELLED, NOT_FOUND
from penstock.wire.in_process.servicer_context import InProcessServicerContext, RequestStream

_LOGGER = logging.getLogger(__name__)

Resolve = Callable[[Exchange], Awaitable[Handler | None]]


@dataclass(slots=True)
class InProcessCallDetails:
    """Represents an arriving call to server interceptors."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...]


async def handle(exchange: Exchange, resolve: Resolve) -> None:
    """Serves one call; raises nothing but cancellation and KeyboardInterrupt."""
    context = InProcessServicerContext(exchange)
    try:
        handler = await resolve(exchange)
        if handler is None:
            exchange.finish(NOT_FOUND)
        else:
            await _run(handler, exchange, context)
            context.finish_as_set()
    except asyncio.CancelledError:
        # Does nothing where the caller or the server cancelled; else the handler did, and the caller must not wait on.
        exchange.finish(HANDLER_CANCELLED)
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, too: one handler must not end everybody else's calls
        if error is not context.abort_error:
            _unexpected(error, context)
    finally:
        context.run_done_callbacks()


async def _run(handler: Handler, exchange: Exchange, context: InProcessServicerContext) -> None:
    decode = context.deserialize = handler.request_deserializer
    if handler.response_streaming:
        context.serialize = handler.response_serializer
    behaviour: Any = _behaviour(handler)
    request: Any
    if handler.request_streaming:
        request = RequestStream(context)
    elif exchange.requests.messages:
        raw = exchange.requests.pop()
        request = raw if decode is None else decode(raw)
    else:
        request = await context.read()

    answering = behaviour(request, context)
    if type(answering) is CoroutineType:
        response = await answering
        if not handler.response_streaming and not exchange.finished:
            _answer(response, handler, exchange, context)
    elif isasyncgen(answering):
        async with aclosing(answering) as messages:
            async for message in messages:
                await context.write(message)
    else:
        raise TypeError(f"{behaviour!r} is no async function: handlers here are async")
    if context.abort_error is not None:
        _LOGGER.error("%s went on after its abort", exchange.method)


def _answer(response: Any, handler: Handler, exchange: Exchange, context: InProcessServicerContext) -> None:
    if context.code() in (None, grpc.StatusCode.OK):
        # Only now, so that `write` fails in a handler whose answer is a single message.
        context.serialize = handler.response_serializer
        raw = context.encoded(response)
        exchange.begin_response()
        exchange.responses.push(raw)


def _behaviour(handler: Handler) -> Any:
    if handler.request_streaming:
        return handler.stream_stream if handler.response_streaming else handler.stream_unary
    return handler.unary_stream if handler.response_streaming else handler.unary_unary


def _unexpected(error: BaseException, context: InProcessServicerContext) -> None:
    if context.exchange.status is not None:
        return  # the call was over before, so this is only how the handler noticed
    _LOGGER.error("unexpected %s in %s", type(error).__name__, context.exchange.method, exc_info=error)
    code = context.code()
    if code in (None, grpc.StatusCode.OK):
        code = grpc.StatusCode.UNKNOWN
    # The text is that of grpc itself; keeping it from callers is what the `errors` concern is for.
    context.finish(code, f"Unexpected {type(error)}: {error}")
