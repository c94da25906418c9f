"""Events of a run in a few words each."""

from penstock.cli.amounts import count, for_people, of_duration, seconds_between
from penstock.cli.run_text import usage_text
from penstock.cli.terminal import line
from penstock.v1.run_event_pb2 import RunEvent, StepOutcome, ToolOutcome, ToolResult
from penstock.v1.run_pb2 import Run, RunState, Usage


def told(event: RunEvent) -> str:
    """Says what happened; empty for events that are shown otherwise, or not at all."""
    match event.WhichOneof("event"):
        case "progress":
            part = f" ({event.progress.fraction:.0%})" if event.progress.HasField("fraction") else ""
            return f"· {line(event.progress.message)}{part}"
        case "custom":
            return f"· {line(event.custom.name)} {line(event.custom.payload_json)}"
        case "waiting":
            return f"… waits for {line(str(event.waiting))}"
        case "signal" if event.signal.signal.HasField("cancel"):
            return f"■ is being cancelled: {line(event.signal.signal.cancel.reason) or 'no reason given'}"
    return ""


def result_text(result: ToolResult) -> str:
    """Says how a tool call ended, in a few words."""
    outcome = ToolOutcome.Name(result.outcome).removeprefix("TOOL_OUTCOME_").lower().replace("_", " ")
    source = "from the record" if result.from_record else f"in {of_duration(result.duration)}"
    why = f": {line(result.error.message)}" if result.HasField("error") else ""
    return f"{outcome} {source}{why}"


def outcome_name(outcome: StepOutcome) -> str:
    """Returns the name of an attempt's outcome, such as `succeeded`."""
    return StepOutcome.Name(outcome).removeprefix("STEP_OUTCOME_").lower()


def summary(run: Run, last: RunEvent, tokens: int, after: int = 0, usage: Usage | None = None) -> str:
    """Says in one line how a run ended; `tokens` are those after the event of that sequence."""
    state = RunState.Name(last.run_finished.state).removeprefix("RUN_STATE_")
    seconds = for_people(seconds_between(run.create_time, last.time))
    said = count(tokens, "token") + (f" after event {after}" if after else "")
    facts = [f"{run.run_id} {state}", count(last.sequence, "event"), said, seconds]
    if usage is not None and (used := usage_text(usage)):
        facts.append(used)
    return " · ".join(facts)
