"""A run as spans: what its log knows of when which part of it began and ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from penstock.cli.event_text import outcome_name
from penstock.cli.run_text import state_name
from penstock.client import Run, RunEvent
from penstock.v1.run_event_pb2 import StepFinished, StepOutcome, ToolOutcome, ToolResult

MOMENT: Final = "moment"


@dataclass(slots=True)
class Span:
    """Represents a part of a run; `start` and `end` are nanoseconds since the epoch, `end` is None while it goes on.

    `kind` is run, queue, step, attempt, turn, tool, wait or moment; a moment ends when it begins. `split` is when its
    second half began: an attempt's first token, a tool call's claim.
    """

    span_id: str
    parent_id: str
    kind: str
    name: str
    start: int
    end: int | None = None
    status: str = ""
    split: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)

    def close(self, end: int, status: str) -> None:
        """Ends the span, unless it has ended before."""
        if self.end is None:
            self.end, self.status = end, status


class RunSpans:
    """Makes spans of a run's events, each below the one that it is a part of."""

    def __init__(self, run: Run) -> None:
        self._spans: dict[str, Span] = {}
        self._children: dict[str, list[str]] = {}
        self._turn_from: dict[str, int] = {}
        self._root = self._open("run", "", "run", "run", _nanos(run.create_time))
        self._queue: Span | None = self._open("queue", "run", "queue", "queue wait", self._root.start)
        self._root.attributes["run_id"] = run.run_id
        if run.session_id:
            self._root.attributes["session"] = run.session_id

    def __iter__(self) -> Iterator[Span]:
        """Yields the spans, each before its parts, and parts in the order in which they began."""
        return (span for span, _ in self.walk())

    def walk(self, span_id: str = "run", depth: int = 0) -> Iterator[tuple[Span, int]]:
        """Yields the spans with their depths below the run."""
        yield self._spans[span_id], depth
        # A turn is known at its end, when what it called has long been there.
        for child in sorted(self._children.get(span_id, ()), key=lambda child: self._spans[child].start):
            yield from self.walk(child, depth + 1)

    def take_all(self, events: Iterable[RunEvent]) -> "RunSpans":
        """Takes in a log, in its order, and returns itself."""
        for event in events:
            self.take(event)
        return self

    def take(self, event: RunEvent) -> None:
        """Takes in the next event of the log."""
        now = _nanos(event.time)
        step, attempt = self._spans.get(f"step {event.step_id}"), self._spans.get(_attempt_id(event))
        match event.WhichOneof("event"):
            case "run_started":
                self._started(now)
            case "step_started":
                self._attempt_started(event, now)
            case "token" if attempt is not None:
                self._token(attempt, event, now)
            case "usage" if attempt is not None:
                for counted, number in event.usage.ListFields():
                    attempt.attributes[counted.name] = attempt.attributes.get(counted.name, 0) + number
            case "turn_finished" if attempt is not None:
                number = event.turn_finished.turn
                began = self._turn_from.get(attempt.span_id, attempt.start)
                span_id = f"{attempt.span_id} turn {number}"
                self._open(span_id, attempt.span_id, "turn", f"turn {number}", began).close(now, "finished")
                self._turn_from[attempt.span_id] = now
            case "tool_call" if attempt is not None:
                self._called(event, attempt, now)
            case "tool_claimed" if (call := self._spans.get(_call_id(event, event.tool_claimed.call_id))) is not None:
                call.split = now
                call.attributes["idempotency_key"] = event.tool_claimed.idempotency_key
            case "tool_result" if (call := self._spans.get(_call_id(event, event.tool_result.call_id))) is not None:
                _returned(call, event.tool_result, now)
            case "rewind" if step is not None:
                self._rewound(event, step, attempt, now)
            case "waiting":
                parent = step or self._root
                what = event.waiting.WhichOneof("until") or "something"
                self._open(f"{parent.span_id} wait {event.sequence}", parent.span_id, "wait", f"waits ({what})", now)
            case "signal":
                kind = event.signal.signal.WhichOneof("kind") or "unknown"
                self._moment(event, self._root, f"signal {kind}", now)
            case "step_finished" if step is not None:
                self._step_finished(event.step_finished, step, attempt, now)
            case "run_finished":
                state = state_name(event.run_finished.state).lower()
                for span in self._spans.values():
                    span.close(now, "unknown" if span.kind == "tool" else state)
                self._root.attributes["events"] = event.sequence
                self._moment(event, self._root, "end", now)

    def _started(self, now: int) -> None:
        if self._queue is not None:
            self._queue.close(now, "left")
            self._queue = None

    def _attempt_started(self, event: RunEvent, now: int) -> None:
        self._started(now)
        step_id = f"step {event.step_id}"
        if step_id not in self._spans:
            inside = f"step {event.step_id.rpartition('/')[0]}"
            parent = inside if inside in self._spans else "run"
            self._open(step_id, parent, "step", step_id, now)
        runs = event.step_started.WhichOneof("runs") or ""
        attempt = self._open(_attempt_id(event), step_id, "attempt", f"attempt {event.attempt}", now)
        if runs:
            attempt.attributes[runs] = getattr(event.step_started, runs)

    def _token(self, attempt: Span, event: RunEvent, now: int) -> None:
        attempt.attributes["tokens"] = attempt.attributes.get("tokens", 0) + 1
        if attempt.split is None:
            attempt.split = now
            self._moment(event, attempt, "first token", now)

    def _called(self, event: RunEvent, attempt: Span, now: int) -> None:
        call = event.tool_call
        span = self._open(_call_id(event, call.call_id), attempt.span_id, "tool", f"tool {call.tool}", now)
        span.attributes |= {"tool": call.tool, "call_id": call.call_id, "arguments_json": call.arguments_json}

    def _rewound(self, event: RunEvent, step: Span, attempt: Span | None, now: int) -> None:
        if attempt is not None:
            self._close_all(attempt.span_id, now, "lost")
        moment = self._moment(event, step, f"rewind of attempt {event.attempt}", now)
        moment.attributes |= {"from_sequence": event.rewind.from_sequence, "cause": event.rewind.cause.message}

    def _step_finished(self, finished: StepFinished, step: Span, attempt: Span | None, now: int) -> None:
        outcome = outcome_name(finished.outcome)
        for span in (step, attempt):
            if span is not None and finished.HasField("error"):
                span.attributes["error"] = finished.error.message
        if attempt is not None:
            self._close_all(attempt.span_id, now, outcome)
        done = (StepOutcome.STEP_OUTCOME_FAILED, StepOutcome.STEP_OUTCOME_ABANDONED)
        if finished.outcome not in done:
            self._close_all(step.span_id, now, outcome)

    def _close_all(self, span_id: str, now: int, status: str) -> None:
        for child in self._children.get(span_id, ()):
            self._close_all(child, now, "unknown" if self._spans[child].kind == "tool" else status)
        self._spans[span_id].close(now, status)

    def _moment(self, event: RunEvent, parent: Span, name: str, now: int) -> Span:
        span = self._open(f"{parent.span_id} {name} {event.sequence}", parent.span_id, MOMENT, name, now)
        span.close(now, "")
        return span

    def _open(self, span_id: str, parent_id: str, kind: str, name: str, start: int) -> Span:
        span = self._spans[span_id] = Span(span_id, parent_id, kind, name, start)
        self._children.setdefault(parent_id, []).append(span_id)
        return span


def _returned(call: Span, result: ToolResult, now: int) -> None:
    call.close(now, ToolOutcome.Name(result.outcome).removeprefix("TOOL_OUTCOME_").lower())
    call.attributes["from_record"] = result.from_record
    if result.HasField("error"):
        call.attributes["error"] = result.error.message


def _attempt_id(event: RunEvent) -> str:
    return f"step {event.step_id} attempt {event.attempt}"


def _call_id(event: RunEvent, call_id: str) -> str:
    return f"{_attempt_id(event)} call {call_id}"


def _nanos(time: Timestamp) -> int:
    return time.ToNanoseconds()
