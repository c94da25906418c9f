"""Spans, started through OpenTelemetry's API where somebody records them, and free of cost where nobody does.

with span("sort", attributes={"items": 3}) as sorting:
    ...  # `sorting` is None when nobody records
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from penstock.wire.context import TRACEPARENT, TRACESTATE, RequestContext

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, SpanContext, Tracer
    from opentelemetry.util.types import AttributeValue

SCOPE: Final = "penstock"
"""The name under which OpenTelemetry files what this package records."""

Pairs = Iterable[tuple[str, str | bytes]]
Attributes = Mapping[str, "AttributeValue"]

_HEADER: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

_known: tuple[object, Tracer | None] = (None, None)
_links: ContextVar[tuple[Link, ...]] = ContextVar("penstock_links", default=())


def tracer() -> Tracer | None:
    """Returns the tracer of the program's provider; None while nobody records spans.

    Costs a look into a dict where OpenTelemetry was never imported: a program that records has imported it.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    find = getattr(api, "get_tracer_provider", None)
    if find is None:  # another thread is importing it just now
        return None
    provider = find()
    known, found = _known
    return found if provider is known else _remember(api, provider)


def _remember(api: Any, provider: Any) -> Tracer | None:
    global _known
    found: Tracer | None = None
    # Until a program sets its provider there is a proxy, whose spans nobody sees.
    if not isinstance(provider, (api.ProxyTracerProvider, api.NoOpTracerProvider)):
        made = provider.get_tracer(SCOPE, scope_version())
        found = None if isinstance(made, api.NoOpTracer) else made
    _known = (provider, found)
    return found


def scope_version() -> str:
    """Returns the version under which telemetry is filed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("penstock")
    except PackageNotFoundError:
        return ""


def span(
    name: str,
    *,
    parent: Context | None = None,
    links: Iterable[Link] = (),
    attributes: Attributes | None = None,
) -> AbstractContextManager[Span | None]:
    """Gives a span for work done within one task, current for the block; None when nobody records.

    The parent is the current span unless another is given. An Exception that leaves the block makes it an error.
    """
    recording = tracer()
    return _NOTHING if recording is None else _span(recording, name, parent, tuple(links), attributes)


_NOTHING: Final = nullcontext(None)


@contextmanager
def _span(
    recording: Tracer, name: str, parent: Context | None, links: tuple[Link, ...], attributes: Attributes | None
) -> Iterator[Span | None]:
    from opentelemetry import context, trace

    started = recording.start_span(name, context=parent, links=links, attributes=attributes)
    before = context.get_current()
    context.attach(trace.set_span_in_context(started, before))
    try:
        yield started
    except Exception as error:
        fail(started, type(error).__qualname__)
        raise
    finally:
        # Put back, not detached: a coroutine may be closed in another context, where detaching logs an error.
        context.attach(before)
        started.end()


def fail(span: Span, error_type: str, description: str | None = None) -> None:
    """Marks a span as failed; the first mark stays.

    Neither takes an exception's text: it may hold what users wrote.
    """
    from opentelemetry.trace import Status, StatusCode

    status = getattr(span, "status", None)
    if status is None or status.status_code is not StatusCode.ERROR:
        span.set_status(Status(StatusCode.ERROR, description))
        span.set_attribute("error.type", error_type)


def current_span() -> Span | None:
    """Returns the span of the work in progress, if it has one whose ids can be passed on."""
    if tracer() is None:
        return None
    from opentelemetry.trace import get_current_span

    found = get_current_span()
    return found if found.get_span_context().is_valid else None


def note(**facts: str) -> None:
    """Adds facts to the current span, as attributes under `penstock.`; empty ones are left out."""
    found = current_span()
    if found is not None and found.is_recording():
        for name, value in facts.items():
            if value:
                found.set_attribute(f"penstock.{name}", value)


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
    """Returns the parent context that a call brought along; None when it brought none."""
    found = {key: value for key, value in metadata if key in (TRACEPARENT, TRACESTATE) and isinstance(value, str)}
    return context_from(found[TRACEPARENT], found.get(TRACESTATE, "")) if TRACEPARENT in found else None


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
