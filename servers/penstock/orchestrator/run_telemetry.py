"""What a run leaves in traces and metrics, as its owner sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from penstock.v1.run_log_pb2 import RunRecord
from penstock.v1.run_pb2 import RUN_STATE_FAILED, RunState
from penstock.wire.context import RequestContext, use_context
from penstock.wire.metering import LONG_SECONDS, Counter, Histogram, Level
from penstock.wire.tracing import current_span, fail, span, tracer
from penstock.wire.tracing_parents import context_from, joined, links_to

STARTED: Final = Counter("penstock.runs.started", "{run}", "Runs that an orchestrator began to drive.")
FINISHED: Final = Counter("penstock.runs.finished", "{run}", "Runs that came to their end, by state.")
GOING: Final = Level("penstock.runs.going", "{run}", "Runs that are driven now.")
DURATION: Final = Histogram("penstock.run.duration", "s", "Time from a run's creation to its end.", LONG_SECONDS)


@contextmanager
def driving(record: RunRecord, request: RequestContext, *, claimed: bool) -> Iterator[None]:
    """Gives the driver of a run its context, and the run a span under the request that asked for it.

    Whoever takes a run over drives it in the same trace, with a link to that request.
    """
    STARTED.add(1, {"penstock.run.origin": "claimed" if claimed else "recorded"})
    GOING.add(1, {})
    recording = tracer() is not None
    try:
        with (
            span(
                "penstock.run",
                parent=context_from(record.traceparent) if recording else None,
                links=links_to([record.traceparent]) if recording and claimed else (),
                attributes=_facts(record, request, claimed) if recording else None,
            ),
            use_context(joined(request)),
        ):
            yield
    finally:
        GOING.add(-1, {})


def ended(record: RunRecord, state: RunState) -> None:
    """Notes that a run's last event is in its log; for use in its driver's context."""
    name = RunState.Name(state).removeprefix("RUN_STATE_").lower()
    FINISHED.add(1, {"penstock.run.state": name})
    seconds = time.time() - record.run.create_time.ToNanoseconds() / 1e9
    DURATION.record(max(0.0, seconds), {"penstock.run.state": name})
    if (current := current_span()) is not None:
        current.set_attribute("penstock.run.state", name)
        if state == RUN_STATE_FAILED:
            fail(current, "RUN_FAILED")


def _facts(record: RunRecord, request: RequestContext, claimed: bool) -> dict[str, str | int | bool]:
    facts: dict[str, str | int] = {
        "penstock.run_id": record.run.run_id,
        "penstock.request_id": request.request_id,
        "penstock.tenant": record.tenant,
        "penstock.session_id": record.run.session_id,
        "penstock.epoch": record.epoch,
        "penstock.run.claimed": claimed,
    }
    return {name: value for name, value in facts.items() if value != ""}
