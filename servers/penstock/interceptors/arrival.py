"""Who asks, as far as it is known: also for those concerns that stand outside of the one which reads it."""

from collections.abc import Sequence
from contextvars import ContextVar

from penstock.wire.call import Call
from penstock.wire.context import REQUEST_ID, RequestContext
from penstock.wire.ids import is_id, random_id
from penstock.wire.tracing_parents import joined

# Every call is handled in a context of its own, so what is set here is seen by all concerns of that call alone.
_asker: ContextVar[RequestContext | None] = ContextVar("penstock_asker", default=None)


def remember(context: RequestContext) -> None:
    """Notes who asks, for the concerns outside of the `context` concern."""
    _asker.set(context)


def asker(call: Call) -> RequestContext:
    """Returns who asks; when the call was refused before that was read, no more than the request's id."""
    known = _asker.get()
    if known is None:
        known = joined(RequestContext(request_id=_given_id(call.metadata) or random_id("req")))
        _asker.set(known)
    return known


def _given_id(metadata: Sequence[tuple[str, str | bytes]]) -> str:
    given = [value for key, value in metadata if key == REQUEST_ID]
    return given[0] if len(given) == 1 and isinstance(given[0], str) and is_id(given[0]) else ""
