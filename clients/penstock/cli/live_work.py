"""What a run is doing at the moment: its open attempts, and the tool calls in them."""

from dataclasses import dataclass, field

from penstock.cli.amounts import count, for_people, seconds_between
from penstock.cli.causes import Causes
from penstock.cli.event_text import outcome_name, result_text, told
from penstock.cli.terminal import line
from penstock.client import RunEvent
from penstock.v1.run_event_pb2 import StepOutcome, ToolOutcome


@dataclass(frozen=True, slots=True)
class Told:
    """Represents a line to be shown: a mark with its SGR style, and what it marks."""

    mark: str
    style: str
    text: str


@dataclass(slots=True)
class Doing:
    """Represents something that has begun and not yet ended; `began` is in nanoseconds since the epoch."""

    what: str
    event: RunEvent
    tokens: int = 0

    def seconds_at(self, now: int) -> float:
        """How long it has been going; never negative, since our clock and the store's may differ."""
        return max(now - self.event.time.ToNanoseconds(), 0) / 1e9


GOOD, BAD, LOST, PLAIN = ("✓", "32"), ("✗", "31"), ("↺", "33"), ("·", "2")


@dataclass(slots=True)
class LiveWork:
    """Follows attempts and tool calls, and gives a line for each thing that ends."""

    attempts: dict[str, Doing] = field(default_factory=dict)
    calls: dict[tuple[str, str], Doing] = field(default_factory=dict)
    failure: str = ""
    causes: Causes = field(default_factory=Causes)

    def take(self, event: RunEvent) -> Told | None:
        """Takes in the next event, and returns the line that it leaves behind."""
        match event.WhichOneof("event"):
            case "step_started":
                runs = event.step_started.agent or event.step_started.tool or event.step_started.workflow
                again = f", attempt {event.attempt}" if event.attempt > 1 else ""
                self.attempts[event.step_id] = Doing(f"{line(event.step_id)} {line(runs)}{again}", event)
            case "token" if event.step_id in self.attempts:
                self.attempts[event.step_id].tokens += 1
            case "step_finished":
                return self._finished(event)
            case "tool_call":
                call = event.tool_call
                what = f"{line(call.tool)} {line(call.arguments_json)}"
                self.calls[event.step_id, call.call_id] = Doing(what, event)
            case "tool_result":
                return self._result(event)
            case "rewind":
                why = self.causes.in_brackets(event.rewind.cause.message)
                self._drop(event.step_id)
                self.failure = ""
                return Told(*LOST, f"attempt {event.attempt} of step {line(event.step_id)} was lost{why}")
            case "run_finished":
                self.attempts.clear()
                self.calls.clear()
                # The run's own error is told after its end, and mostly it is that of its last step.
                if self.failure and event.run_finished.error.message != self.failure:
                    return Told(*BAD, line(self.failure, None))
            case _ if text := told(event):
                mark, _, rest = text.partition(" ")
                return Told(mark, "2", rest)
        return None

    def _finished(self, event: RunEvent) -> Told | None:
        doing = self._drop(event.step_id)
        if doing is None:
            return None
        took = for_people(seconds_between(doing.event.time, event.time))
        outcome = event.step_finished.outcome
        if outcome == StepOutcome.STEP_OUTCOME_SUCCEEDED:
            return Told(*GOOD, f"step {doing.what} · {took} · {count(doing.tokens, 'token')}")
        self.failure = event.step_finished.error.message
        return Told(*BAD, f"step {doing.what} · {outcome_name(outcome)} in {took}")

    def _result(self, event: RunEvent) -> Told:
        doing = self.calls.pop((event.step_id, event.tool_result.call_id), None)
        what = doing.what if doing else "tool"
        good = event.tool_result.outcome == ToolOutcome.TOOL_OUTCOME_SUCCEEDED
        return Told(*(GOOD if good else BAD), f"{what} · {result_text(event.tool_result)}")

    def _drop(self, step_id: str) -> Doing | None:
        for key in [key for key in self.calls if key[0] == step_id]:
            del self.calls[key]
        return self.attempts.pop(step_id, None)
