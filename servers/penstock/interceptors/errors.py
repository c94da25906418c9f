"""Errors: the one place where what went wrong becomes a status, and where secrets stay behind."""

import asyncio
import logging
from typing import Any, Final

import grpc

from penstock.interceptors.arrival import asker
from penstock.wire.call import Call
from penstock.wire.concern import Proceed
from penstock.wire.errors import Internal, InvalidArgument, PenstockError, Violation
from penstock.wire.status import DETAILS_KEY, code_of, from_inner_error, to_status, trailing_details

_LOGGER: Final = logging.getLogger("penstock.errors")

# What a layer below was given time for already: gRPC's own retries would only wait for it again, and silently.
_WAITED_FOR: Final = frozenset({"STATE_AWAY", "LAYER_AWAY"})
_PUSHBACK: Final = "grpc-retry-pushback-ms"

# Text (percent-encoded) and details (in base64) travel in trailing metadata, of which 8 KB arrive for certain.
MAX_MESSAGE_BYTES: Final = 700
MAX_VIOLATIONS_BYTES: Final = 1_500
MAX_FACT_BYTES: Final = 200


async def errors(call: Call, proceed: Proceed) -> Any:
    """Ends a failed call with its status and google.rpc details; of a fault, the caller gets nothing but an id."""
    try:
        return await proceed()
    except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit, KeyboardInterrupt):
        raise  # the caller is gone, or has its status already
    except BaseException as error:  # SystemExit too: one handler must not end everybody else's calls
        if call.context.done():
            # Nobody is left to tell, and the error is mostly how a handler notices that its call is over.
            _LOGGER.debug("%s failed after its end", call.method, exc_info=error)
            raise asyncio.CancelledError from error
        await _abort(call, _translated(call, single_error(error)))


def single_error(error: BaseException) -> BaseException:
    """Returns the one error that a TaskGroup wrapped, or the group when there are several."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _translated(call: Call, error: BaseException) -> PenstockError:
    if isinstance(error, PenstockError):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        translated = from_inner_error(error)
        explained = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
        if explained or not isinstance(translated, Internal):
            return translated
        # A peer that does not map its faults may have put anything into the text.
    return _fault(call, error)


def _fault(call: Call, error: BaseException) -> Internal:
    request_id = asker(call).request_id
    _LOGGER.error(
        "%s failed unexpectedly (request id %s)",
        call.method,
        request_id,
        exc_info=error,
        extra={"method": call.method, "request_id": request_id},
    )
    return Internal(f"internal error; the server's log has the details under request id {request_id}")


async def _abort(call: Call, error: PenstockError) -> None:
    context = call.context
    _shorten(error)
    status = to_status(error, asker(call).request_id)
    set_before = [(key, value) for key, value in context.trailing_metadata() or () if key != DETAILS_KEY]
    if error.reason in _WAITED_FOR:
        set_before.append((_PUSHBACK, "-1"))
    await context.abort(code_of(error), status.message, (*set_before, trailing_details(status)))


def _shorten(error: PenstockError) -> None:
    """Makes an error fit into trailing metadata; in place, since this is where its way ends."""
    error.metadata = {key: _cut(value, MAX_FACT_BYTES) for key, value in error.metadata.items()}
    if isinstance(error, InvalidArgument):
        shown, room = [], MAX_VIOLATIONS_BYTES
        for violation in error.violations:
            short = Violation(_cut(violation.field, MAX_FACT_BYTES), _cut(violation.description, MAX_FACT_BYTES))
            room -= len(short.field.encode()) + len(short.description.encode()) + 8
            if room < 0:
                break
            shown.append(short)
        left = len(error.violations) - len(shown)
        error.violations = tuple(shown)
        if left:
            error.message = _cut(error.message, MAX_MESSAGE_BYTES - 40) + f" (and {left} more violations)"
    error.message = _cut(error.message, MAX_MESSAGE_BYTES)


def _cut(text: str, most: int) -> str:
    data = text.encode()
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + "…"
