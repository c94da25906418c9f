"""A run's trace, as text and as an object for programs."""

import time
from datetime import UTC, datetime
from typing import Any

from penstock.cli.amounts import count, for_people, local_time, seconds_between
from penstock.cli.run_text import state_name
from penstock.cli.run_way import RunWay
from penstock.cli.spans import RunSpans, Span
from penstock.cli.table import screen_width, wrapped
from penstock.cli.terminal import line
from penstock.cli.waterfall import waterfall


def trace_text(way: RunWay) -> str:
    """Writes the header by which a run is found in a tracing backend, and its spans."""
    run, width = way.run, screen_width()
    took = f" in {for_people(seconds_between(run.create_time, run.finish_time))}" if run.HasField("finish_time") else ""
    lines = [
        f"run    {run.run_id} {state_name(run.state)}{took}, {count(len(way.log), 'event')}",
        f"trace  {line(run.trace_id) or 'not known'}",
        f"began  {local_time(run.create_time)}" + (f", session {line(run.session_id)}" if run.session_id else ""),
    ]
    head = "\n".join(wrapped(text, width) for text in lines)
    return f"{head}\n\n{waterfall(_spans(way), _now(way), width)}"


def trace_object(way: RunWay) -> dict[str, Any]:
    """Returns the run's identity and its spans, with times in RFC 3339 and `end` null for what still goes on."""
    return {
        "run_id": way.run.run_id,
        "state": state_name(way.run.state),
        "trace_id": way.run.trace_id,
        "spans": [_span_object(span) for span in _spans(way)],
    }


def _span_object(span: Span) -> dict[str, Any]:
    return {
        "span_id": span.span_id,
        "parent": span.parent_id or None,
        "kind": span.kind,
        "name": span.name,
        "start": _rfc3339(span.start),
        "end": None if span.end is None else _rfc3339(span.end),
        "status": span.status or None,
        "attributes": span.attributes,
    }


def _spans(way: RunWay) -> RunSpans:
    return RunSpans(way.run).take_all(way.log)


def _now(way: RunWay) -> int:
    # The store's clock may be before ours or behind it; what still goes on ends after all that was logged.
    logged = [event.time.ToNanoseconds() for event in way.log]
    return max([time.time_ns(), *logged])


def _rfc3339(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
