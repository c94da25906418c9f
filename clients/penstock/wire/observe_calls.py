"""What a caller's end of each call leaves in traces and metrics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import grpc

from penstock.wire.call import Call
from penstock.wire.context import TRACEPARENT, TRACESTATE, current_context
from penstock.wire.metering import CALL_SECONDS, Histogram, meter
from penstock.wire.preparing import Done, Prepare
from penstock.wire.tracing import current_span, fail, tracer
from penstock.wire.tracing_parents import context_of, wanted_links

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

DURATION: Final = Histogram("rpc.client.call.duration", "s", "Time of outgoing calls to their end.", CALL_SECONDS)


def observe_calls(*, root: bool) -> Prepare:
    """Makes what gives each call a CLIENT span and notes its duration; `root` says whether it may begin a trace."""

    def observe(call: Call) -> Done | None:
        recording, metered = tracer(), meter() is not None
        if recording is None and not metered:
            return None
        span = None if recording is None else _started(recording, call, root)
        if span is None and not metered:
            return None
        started = time.perf_counter()

        def done(code: grpc.StatusCode) -> None:
            seconds, failed = time.perf_counter() - started, code is not grpc.StatusCode.OK
            if span is not None:
                span.set_attribute("rpc.response.status_code", code.name)
                if failed:
                    fail(span, code.name)
                span.end()
            if metered:
                labels = {"rpc.system.name": "grpc", "rpc.method": call.method[1:]}
                labels |= {"rpc.response.status_code": code.name} | ({"error.type": code.name} if failed else {})
                DURATION.record(seconds, labels)

        return done

    return observe


def _started(recording: Tracer, call: Call, root: bool) -> Span | None:
    from opentelemetry.trace import SpanKind

    links = wanted_links()
    parent: Context | None = None
    if current_span() is None:
        request = current_context()
        parent = None if request is None else context_of(request)
        if parent is None and not (root or links):
            return None  # work of nobody's, like keeping a lease, would be a trace of its own for each call
    span = recording.start_span(
        call.method[1:],
        context=parent,
        kind=SpanKind.CLIENT,
        links=links,
        attributes={"rpc.system.name": "grpc", "rpc.method": call.method[1:]},
    )
    at = span.get_span_context()
    kept = [pair for pair in call.metadata if pair[0] not in (TRACEPARENT, TRACESTATE)]
    kept.append((TRACEPARENT, f"00-{at.trace_id:032x}-{at.span_id:016x}-{int(at.trace_flags):02x}"))
    if at.trace_state:
        kept.append((TRACESTATE, at.trace_state.to_header()))
    call.metadata = kept
    return span
