"""Where a run's time went, as a tree with a waterfall, and as spans for programs."""

import json
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from penstock.cli.spans import RunSpans
from penstock.cli.table import columns_of
from penstock.cli.waterfall import waterfall
from penstock.client import Run, RunEvent
from penstock.v1.run_event_pb2 import StepFinished, StepStarted, ToolCall, ToolResult, TurnFinished
from tests.cli.conftest import OnTerminal
from tests.cli.conftest import Run as Command

PLAN = """
sequential: true
steps:
  - {step_id: first, agent: {agent: unlucky}, retry: {max_attempts: 2}}
  - {step_id: second, agent: {agent: echo, task: x}}
"""


@pytest.fixture
def traced(told: Command, tmp_path: Path) -> str:
    """A run with two steps, a tool, and an attempt that was lost."""
    (tmp_path / "plan.yaml").write_text(PLAN)
    run = told("run", "hello", "--plan", str(tmp_path / "plan.yaml"), "--json")
    assert run.exit_code == 0
    return str(run.stderr.split()[0])


def test_the_tree_shows_queue_steps_attempts_tools_and_the_rewind(told: Command, traced: str) -> None:
    """Each indented below what it is a part of, in the order in which it began."""
    text = told("trace", traced).stdout
    names = [line.partition("  +")[0].rstrip() for line in text.split("SPAN")[1].splitlines()[1:]]
    assert names == [
        "run",
        "  queue wait",
        "  step first",
        "    attempt 1 (unlucky) failed",
        "      first token",
        "      tool weigh",
        "    rewind of attempt 1",
        "    attempt 2 (unlucky)",
        "      first token",
        "      tool weigh from record",
        "  step second",
        "    attempt 1 (echo)",
        "      first token",
        "  end",
    ]


def test_the_header_names_the_run_and_the_trace_to_look_up(told: Command, traced: str) -> None:
    """The W3C id by which a tracing backend knows it."""
    trace_id = json.loads(told("get", traced, "--json").stdout).get("trace_id", "")
    head = told("trace", traced).stdout.splitlines()
    assert head[0].startswith(f"run    {traced} SUCCEEDED in ")
    assert head[1] == f"trace  {trace_id or 'not known'}"


@pytest.mark.parametrize("columns", [80, 120])
def test_the_waterfall_fits_the_screen(told: Command, traced: str, columns: int) -> None:
    """Bars begin where their parent's do, or later."""
    lines = told("trace", traced, COLUMNS=str(columns)).stdout.splitlines()
    assert max(map(columns_of, lines)) <= columns
    assert any(line.count("█") > 10 for line in lines)
    bars = {line.partition("  +")[0].strip(): line.find("█") for line in lines}
    assert bars["attempt 2 (unlucky)"] > bars["attempt 1 (unlucky) failed"]


def test_json_gives_each_span_with_kind_times_parent_and_attributes(told: Command, traced: str) -> None:
    """Parents come before their parts, and every parent is there."""
    trace = json.loads(told("trace", traced, "--json").stdout)
    assert (trace["run_id"], trace["state"]) == (traced, "SUCCEEDED")
    spans = {span["span_id"]: span for span in trace["spans"]}
    assert [span["parent"] for span in spans.values() if span["parent"] is None] == [None]
    for place, span in enumerate(trace["spans"]):
        assert span["start"] <= span["end"]
        assert span["parent"] is None or span["parent"] in list(spans)[:place]
    tools = [span for span in trace["spans"] if span["kind"] == "tool"]
    assert [tool["attributes"]["from_record"] for tool in tools] == [False, True]
    assert json.loads(tools[0]["attributes"]["arguments_json"]) == {"text": "hello"}
    kinds = {span["kind"] for span in trace["spans"]}
    assert kinds == {"run", "queue", "step", "attempt", "tool", "moment"}


def test_a_run_that_goes_on_is_traced_with_its_unfinished_spans_marked(told: Command, on_terminal: OnTerminal) -> None:
    """It is not waited for."""
    shown = on_terminal("run", "x", "--agent", "calls", "--plain")
    shown.expect("→ ponder")
    run_id = json.loads(told("runs", "--limit", "1", "--json").stdout)["run_id"]
    lines = told("trace", run_id).stdout.split("SPAN")[1].splitlines()
    for name in ("run  ", "step main", "attempt 1 (calls)", "tool ponder"):
        line = next(line for line in lines if line.strip().startswith(name))
        assert " …" in line
        assert line.endswith("▸")
    spans = json.loads(told("trace", run_id, "--json").stdout)["spans"]
    assert [span["kind"] for span in spans if span["end"] is None] == ["run", "step", "attempt", "tool"]
    told("cancel", run_id)


def at(second: int, event: RunEvent, step_id: str = "main", attempt: int = 1) -> RunEvent:
    """An event of a second."""
    event.time.CopyFrom(Timestamp(seconds=second))
    event.sequence, event.step_id, event.attempt = second, step_id, attempt
    return event


def test_turns_and_inner_steps_have_their_places() -> None:
    """A turn begins where the one before it ended; work inside a step is below it."""
    spans = RunSpans(Run(run_id="run-1", create_time=Timestamp(seconds=1))).take_all(
        [
            at(2, RunEvent(step_started=StepStarted())),
            at(3, RunEvent(step_started=StepStarted(agent="a")), "main/0"),
            at(4, RunEvent(turn_finished=TurnFinished(turn=1)), "main/0"),
            at(6, RunEvent(turn_finished=TurnFinished(turn=2)), "main/0"),
        ]
    )
    found = {span.name: (span.parent_id, span.start // 10**9, (span.end or 0) // 10**9) for span in spans}
    assert found["turn 1"] == ("step main/0 attempt 1", 3, 4)
    assert found["turn 2"] == ("step main/0 attempt 1", 4, 6)
    assert found["step main/0"] == ("step main", 3, 0)


def test_a_call_whose_result_never_came_is_unknown() -> None:
    """Its attempt's end is the last that is known of it."""
    finished = StepFinished(outcome=2)  # type: ignore[arg-type]  # numbers are enum values
    spans = RunSpans(Run(run_id="run-1", create_time=Timestamp(seconds=1))).take_all(
        [
            at(2, RunEvent(step_started=StepStarted(agent="a"))),
            at(3, RunEvent(tool_call=ToolCall(call_id="c", tool="t\x1b[2J"))),
            at(4, RunEvent(tool_result=ToolResult(call_id="another"))),
            at(5, RunEvent(step_finished=finished)),
        ]
    )
    call = next(span for span in spans if span.kind == "tool")
    assert (call.status, call.end) == ("unknown", 5 * 10**9)
    drawn = waterfall(spans, 9 * 10**9, 80)
    assert "tool t\\x1b[2J unknown" in drawn
    assert max(map(columns_of, drawn.splitlines())) <= 80


def test_what_began_earlier_stands_above_also_where_it_is_known_later() -> None:
    """A turn is known at its end; the tool called in it still stands below it."""
    spans = RunSpans(Run(run_id="run-1", create_time=Timestamp(seconds=1))).take_all(
        [
            at(2, RunEvent(step_started=StepStarted(agent="a"))),
            at(3, RunEvent(turn_finished=TurnFinished(turn=1))),
            at(4, RunEvent(tool_call=ToolCall(call_id="c", tool="t"))),
            at(5, RunEvent(turn_finished=TurnFinished(turn=2))),
        ]
    )
    assert [span.name for span in spans if span.kind in ("turn", "tool")] == ["turn 1", "turn 2", "tool t"]
