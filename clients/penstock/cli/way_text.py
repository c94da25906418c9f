"""The way a run went, as text that reads well at any width."""

import shutil
import textwrap
from collections.abc import Iterator

from penstock.cli.amounts import count, for_people, local_time, of_duration, seconds_between
from penstock.cli.mesh_text import layers_text
from penstock.cli.run_text import request_of, state_name, usage_text
from penstock.cli.run_way import RunWay
from penstock.cli.table import screen_width, table, wrapped
from penstock.cli.terminal import line
from penstock.v1.gateway_pb2 import GetStatusResponse
from penstock.v1.run_event_pb2 import ToolOutcome
from penstock.wire.status import from_status

INDENT = "  "


def way_text(way: RunWay, status: GetStatusResponse) -> str:
    """Writes the way a run went: steps, tool calls, events and durations, and the layers as they are now."""
    return "\n".join([_head(way), *_layers(status), *_steps(way), *_calls(way), *_events(way)])


def _head(way: RunWay) -> str:
    run = way.run
    text = f"Run {run.run_id} {state_name(run.state)}"
    if run.HasField("finish_time"):
        text += f" in {for_people(seconds_between(run.create_time, run.finish_time))}"
    about = [f"created {local_time(run.create_time)}"]
    if run.HasField("start_time"):
        about.append(f"waited {for_people(seconds_between(run.create_time, run.start_time))} to start")
    if run.session_id:
        about.append(f"session {line(run.session_id)}")
    width = screen_width()
    lines = [text, wrapped(", ".join(about), width, INDENT)]
    if run.HasField("error"):
        error = from_status(run.error)
        facts = [("error", error.message), ("reason", error.reason), ("request", request_of(error))]
        lines += [wrapped(f"{name:<8} {line(said, None)}", width, INDENT) for name, said in facts if said]
    return "\n".join(lines)


def _layers(status: GetStatusResponse) -> Iterator[str]:
    yield "\nLayers now, in the order a call passes them"
    yield layers_text(status.layers, INDENT)


def _steps(way: RunWay) -> Iterator[str]:
    rows = [
        (
            line(attempt.step_id),
            line(attempt.runs),
            str(attempt.number),
            attempt.outcome,
            "" if attempt.seconds is None else for_people(attempt.seconds),
            f"{attempt.tokens:,}",
            "" if attempt.why == way.run.error.message else line(attempt.why, 400),  # it stands at the head
        )
        for attempt in way.attempts.values()
    ]
    if rows:
        yield "\nSteps"
        yield table(("STEP", "RUNS", "ATTEMPT", "OUTCOME", "TOOK", "TOKENS", ""), rows, screen_width(), INDENT)


def _calls(way: RunWay) -> Iterator[str]:
    rows = []
    for call in way.calls.values():
        result = call.result
        outcome = "unknown" if result is None else ToolOutcome.Name(result.outcome).removeprefix("TOOL_OUTCOME_")
        took = "" if result is None else "from record" if result.from_record else of_duration(result.duration)
        said = call.arguments_json if result is None or not result.HasField("error") else result.error.message
        rows.append((line(call.step_id), line(call.tool), outcome.lower(), took, line(said, 60)))
    if rows:
        yield "\nTool calls"
        yield table(("STEP", "TOOL", "OUTCOME", "TOOK", "ARGUMENTS"), rows, screen_width(), INDENT)


def _events(way: RunWay) -> Iterator[str]:
    # The no-break space keeps a number and its kind on one line.
    kinds = ", ".join(f"{number:,}\u00a0{kind}" for kind, number in way.events.items())
    yield f"\n{count(way.events.total(), 'event')} in the log"
    width = min(shutil.get_terminal_size().columns, 120)
    yield textwrap.fill(kinds, width, initial_indent=INDENT, subsequent_indent=INDENT).replace("\u00a0", " ")
    yield f"\n{count(way.transcript.tokens, 'token')} in the answer, {count(len(way.transcript.text), 'character')}"
    if usage := usage_text(way.run.usage):
        yield INDENT + usage
