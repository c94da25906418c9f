"""What the server's end of each call leaves in traces and metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc

from penstock.interceptors.arrival import asker
from penstock.wire.call import Call
from penstock.wire.long_calls import is_long
from penstock.wire.metering import CALL_SECONDS, Histogram, Level, meter
from penstock.wire.tracing import fail, tracer
from penstock.wire.tracing_parents import caller_context

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

DURATION: Final = Histogram("rpc.server.call.duration", "s", "Time of incoming calls to their end.", CALL_SECONDS)
IN_PROGRESS: Final = Level("penstock.server.calls", "{call}", "Calls in progress, short and long ones apart.")

# For which the semantic conventions blame the server; the rest is what the caller wanted, or did wrong.
ERRORS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

# Whose calls may begin a trace. Those between layers belong to one, or to nobody's request, like keeping a lease.
_DOOR: Final = "gateway"


@dataclass(slots=True)
class ServerCall:
    """Represents one incoming call on its way into traces (`span`) and metrics (`place`), where these are on."""

    call: Call
    span: Span | None
    place: dict[str, str] | None
    started: float

    def end(self, code: grpc.StatusCode) -> None:
        """Notes how the call ended; once."""
        seconds = time.perf_counter() - self.started
        failed = code in ERRORS
        if self.span is not None:
            self._end_span(self.span, code, failed)
        if self.place is None:
            return
        IN_PROGRESS.add(-1, self.place)
        labels = {
            "rpc.system.name": "grpc",
            "rpc.method": self.call.method[1:],
            "rpc.response.status_code": code.name,
        }
        if failed:
            labels["error.type"] = code.name
        DURATION.record(seconds, labels)

    def _end_span(self, span: Span, code: grpc.StatusCode, failed: bool) -> None:
        if span.is_recording():
            who = asker(self.call)
            facts = {
                "rpc.response.status_code": code.name,
                "penstock.request_id": who.request_id,
                "penstock.tenant": who.tenant,
                "penstock.session_id": who.session_id,
            }
            span.set_attributes({name: value for name, value in facts.items() if value})
            if failed:
                fail(span, code.name)
        span.end()


def begin(call: Call, layer: str) -> ServerCall | None:
    """Starts a call's SERVER span, current from here on, and counts it; None when nobody records, or it is no layer's.

    The span's parent is the caller's. There is none for calls between layers that are part of no trace.
    """
    recording, metered = tracer(), meter() is not None
    if not layer or (recording is None and not metered):
        return None
    span = None if recording is None else _started(recording, call, layer)
    place = None
    if metered:
        place = {"penstock.layer": layer, "penstock.call.length": "long" if is_long(call) else "short"}
        IN_PROGRESS.add(1, place)
    return ServerCall(call, span, place, time.perf_counter())


def _started(recording: Tracer, call: Call, layer: str) -> Span | None:
    from opentelemetry import context, trace

    # What the server's own task brought along is nothing of this call's.
    around = context.Context()
    parent = caller_context(call.metadata)
    if parent is None and layer != _DOOR:
        context.attach(around)
        return None
    span = recording.start_span(
        call.method[1:],
        context=around if parent is None else parent,
        kind=trace.SpanKind.SERVER,
        attributes={"rpc.system.name": "grpc", "rpc.method": call.method[1:], "penstock.layer": layer},
    )
    # Never detached: each call has a context of its own, which ends with it, maybe in another one's hands.
    context.attach(trace.set_span_in_context(span, around))
    return span
