"""The way a run went, gathered from its log."""

from collections import Counter
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from penstock.cli.amounts import seconds_between
from penstock.client import Client, Run, RunEvent, Transcript
from penstock.v1.run_event_pb2 import StepOutcome, ToolResult


@dataclass(slots=True)
class Attempt:
    """Represents one attempt of a step; `outcome` is `running` until its end is known, `seconds` None."""

    step_id: str
    number: int
    runs: str
    started: Timestamp
    outcome: str = "running"
    seconds: float | None = None
    tokens: int = 0
    why: str = ""


@dataclass(slots=True)
class Call:
    """Represents one tool call; `result` is None while it isn't known."""

    step_id: str
    attempt: int
    tool: str
    arguments_json: str
    result: ToolResult | None = None


@dataclass(slots=True)
class RunWay:
    """Represents what happened in a run, in the order of its log."""

    run: Run
    attempts: dict[tuple[str, int], Attempt] = field(default_factory=dict)
    calls: dict[tuple[str, int, str], Call] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    log: list[RunEvent] = field(default_factory=list)
    transcript: Transcript = field(default_factory=Transcript)

    def take(self, event: RunEvent) -> None:
        """Takes in the next event of the log."""
        self.log.append(event)
        kind = event.WhichOneof("event") or "unknown"
        self.events[kind] += 1
        self.transcript.consume(event)
        attempt = self.attempts.get((event.step_id, event.attempt))
        call_key = (event.step_id, event.attempt, event.tool_call.call_id or event.tool_result.call_id)
        if kind == "step_started":
            runs = event.step_started.agent or event.step_started.tool
            self.attempts[event.step_id, event.attempt] = Attempt(event.step_id, event.attempt, runs, event.time)
        elif kind == "tool_call":
            call = Call(event.step_id, event.attempt, event.tool_call.tool, event.tool_call.arguments_json)
            self.calls[call_key] = call
        elif kind == "tool_result" and call_key in self.calls:
            self.calls[call_key].result = event.tool_result
        elif kind == "token" and attempt is not None:
            attempt.tokens += 1
        elif kind == "rewind" and attempt is not None:
            _close(attempt, "lost", event, event.rewind.cause.message)
        elif kind == "step_finished" and attempt is not None:
            outcome = StepOutcome.Name(event.step_finished.outcome).removeprefix("STEP_OUTCOME_").lower()
            _close(attempt, outcome, event, event.step_finished.error.message)


def _close(attempt: Attempt, outcome: str, event: RunEvent, why: str) -> None:
    if attempt.seconds is None:
        attempt.outcome, attempt.why = outcome, why
        attempt.seconds = seconds_between(attempt.started, event.time)


async def read_way(client: Client, run_id: str) -> RunWay:
    """Reads a run's log as far as it goes now."""
    way = RunWay(await client.get_run(run_id))
    if way.run.durable_sequence:
        async with client.attach_run(run_id) as stream:
            async for event in stream:
                way.take(event)
                if event.sequence >= way.run.durable_sequence:
                    break
    return way
