"""Spans, started through OpenTelemetry's API where somebody records them, and free of cost where nobody does.

with span("sort", attributes={"items": 3}) as sorting:
    ...  # `sorting` is None when nobody records
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, Tracer
    from opentelemetry.util.types import AttributeValue

SCOPE: Final = "penstock"
"""The name under which OpenTelemetry files what this package records."""

Attributes = Mapping[str, "AttributeValue"]

_known: tuple[object, Tracer | None] = (None, None)


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
    known, found = _known
    # Where a library has imported the API and nobody records, asking again would look into the environment each time,
    # at several microseconds a call. Without that name in the API it only costs more.
    if known is not None and getattr(api, "_TRACER_PROVIDER", known) is None:
        return None
    provider = find()
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

# Set beside the current span, since a context tells by its token whether it is the one in which that was done.
_within: ContextVar[bool] = ContextVar("penstock_within_span", default=False)


@contextmanager
def _span(
    recording: Tracer, name: str, parent: Context | None, links: tuple[Link, ...], attributes: Attributes | None
) -> Iterator[Span | None]:
    from opentelemetry import context, trace

    started = recording.start_span(name, context=parent, links=links, attributes=attributes)
    before = context.get_current()
    context.attach(trace.set_span_in_context(started, before))
    token = _within.set(True)
    try:
        yield started
    except Exception as error:
        fail(started, type(error).__qualname__)
        raise
    finally:
        started.end()
        # Put back, not detached, which logs an error where a coroutine is closed in another context. That one, which
        # may be any task's, keeps the span that it has.
        with suppress(ValueError):
            _within.reset(token)
            context.attach(before)


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
