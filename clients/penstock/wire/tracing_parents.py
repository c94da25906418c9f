"""How spans hang together across calls and through the log: by W3C headers, as parents and as links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from penstock.wire.context import MOST_TRACESTATE, TRACEPARENT, TRACESTATE, RequestContext
from penstock.wire.tracing import current_span, tracer

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanContext

Pairs = Iterable[tuple[str, str | bytes]]

_HEADER: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NOTHING: Final = nullcontext()

_links: ContextVar[tuple[Link, ...]] = ContextVar("penstock_links", default=())


def joined(request: RequestContext) -> RequestContext:
    """Returns the request's context with the current span's ids in place of its own; itself when there is no span."""
    found = current_span()
    if found is None:
        return request
    at = found.get_span_context()
    return replace(
        request,
        trace_id=f"{at.trace_id:032x}",
        span_id=f"{at.span_id:016x}",
        trace_flags=int(at.trace_flags),
        tracestate=at.trace_state.to_header() if at.trace_state else "",
    )


def context_from(traceparent: str, tracestate: str = "") -> Context | None:
    """Returns the parent context that a W3C header names; None for one that can't be read.

    Only while somebody records: it imports OpenTelemetry.
    """
    remote = _remote(traceparent, tracestate)
    if remote is None:
        return None
    from opentelemetry import trace
    from opentelemetry.context import Context

    return trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())


def context_of(request: RequestContext) -> Context | None:
    """Returns the parent context for work on behalf of a request."""
    return context_from(request.traceparent, request.tracestate)


def caller_context(metadata: Pairs) -> Context | None:
    """Returns the parent context that a call brought along; None when it brought none.

    Its tracestate is left out where it is longer than a `RequestContext` takes: every inner call would carry it.
    """
    parent, states = "", []
    for key, value in metadata:
        if key == TRACEPARENT and isinstance(value, str):
            parent = value
        elif key == TRACESTATE and isinstance(value, str):
            states.append(value)
    tracestate = ",".join(states)
    return context_from(parent, tracestate if len(tracestate) <= MOST_TRACESTATE else "") if parent else None


def links_to(traceparents: Iterable[str], *, sampled_only: bool = False) -> tuple[Link, ...]:
    """Returns links to the spans that W3C headers name, each once; those that can't be read are left out."""
    from opentelemetry.trace import Link

    found = {header: _remote(header, "") for header in dict.fromkeys(traceparents)}
    return tuple(
        Link(remote)
        for remote in found.values()
        if remote is not None and (remote.trace_flags.sampled or not sampled_only)
    )


def linking(traceparents: Iterable[str]) -> AbstractContextManager[None]:
    """Links the calls made within the block to the sampled ones of these; a call without a trace gets one for it."""
    return _NOTHING if tracer() is None else _linking(links_to(traceparents, sampled_only=True))


@contextmanager
def _linking(links: tuple[Link, ...]) -> Iterator[None]:
    token = _links.set(links)
    try:
        yield
    finally:
        _links.reset(token)


def wanted_links() -> tuple[Link, ...]:
    """Returns the links that calls made now shall have."""
    return _links.get()


def _remote(traceparent: str, tracestate: str) -> SpanContext | None:
    parsed = _HEADER.fullmatch(traceparent)
    if parsed is None:
        return None
    from opentelemetry.trace import SpanContext, TraceFlags, TraceState

    state = TraceState.from_header([tracestate]) if tracestate else None
    found = SpanContext(int(parsed[1], 16), int(parsed[2], 16), True, TraceFlags(int(parsed[3], 16)), state)
    return found if found.is_valid else None
