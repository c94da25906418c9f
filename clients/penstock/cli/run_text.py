"""Runs as text: one as a sheet, many as a table."""

import shutil
import sys
from collections.abc import Sequence

from penstock.cli.amounts import count, for_people, local_time, seconds_between
from penstock.cli.flow import flowed
from penstock.cli.table import columns_of, screen_width, table, wrapped
from penstock.cli.terminal import line, printable
from penstock.client import Run, RunState
from penstock.v1.run_pb2 import Content, Usage
from penstock.wire.errors import PenstockError
from penstock.wire.status import from_status


def state_name(state: RunState) -> str:
    """Returns a state's name, such as SUCCEEDED."""
    return RunState.Name(state).removeprefix("RUN_STATE_")


def runs_table(runs: Sequence[Run]) -> str:
    """Lays out runs, one a line; a narrow screen gets a shorter time and then no numbers, and the ids stay whole."""
    width = screen_width()
    for short_time, figures in ((False, True), (True, True)):
        laid_out = _runs_table(runs, short_time=short_time, figures=figures)
        if width is None or max(map(columns_of, laid_out.splitlines())) <= width:
            return laid_out
    return _runs_table(runs, width, short_time=True, figures=False)


def _runs_table(runs: Sequence[Run], width: int | None = None, *, short_time: bool, figures: bool) -> str:
    columns = {
        "RUN": [run.run_id for run in runs],
        "STATE": [state_name(run.state) for run in runs],
        # The year and the zone go, and the seconds.
        "CREATED": [local_time(run.create_time)[slice(5, 16) if short_time else slice(None)] for run in runs],
        "TOOK": [took(run) for run in runs],
        "EVENTS": [f"{run.last_sequence:,}" for run in runs],
        "SESSION": [line(run.session_id) for run in runs],
    }
    if not figures:
        del columns["TOOK"], columns["EVENTS"]
    if not any(columns["SESSION"]):
        del columns["SESSION"]
    return table(tuple(columns), list(zip(*columns.values(), strict=True)), width)


def run_text(run: Run) -> str:
    """Writes all that a run says of itself, its answer last."""
    steps = ", ".join(f"{step.step_id} ({line(step.agent.agent or step.tool.tool)})" for step in run.plan.steps)
    facts = [
        ("run", run.run_id),
        ("state", state_name(run.state)),
        ("trace", line(run.trace_id)),
        ("workflow", run.workflow),
        ("steps", steps),
        ("session", run.session_id),
        ("labels", " ".join(f"{key}={line(value)}" for key, value in sorted(run.labels.items()))),
        ("created", local_time(run.create_time)),
        ("took", took(run)),
        ("events", f"{run.last_sequence:,} in generation {run.generation}"),
        ("usage", usage_text(run.usage)),
    ]
    if run.HasField("error"):
        error = from_status(run.error)
        facts += [
            ("error", f"{line(error.message, None)} ({error.reason})"),
            ("request", line(request_of(error))),
        ]
    width = screen_width()
    sheet = "\n".join(wrapped(f"{name:<9}{value}", width) for name, value in facts if value)
    return f"{sheet}\n\n{_answer(run)}" if run.output else sheet


def request_of(error: PenstockError) -> str:
    """Returns the request that finds an error's cause in the servers' logs; empty where its message names it."""
    request_id = error.metadata.get("request_id", "")
    return "" if request_id in error.message else request_id


def _answer(run: Run) -> str:
    text = printable(content_text(run.output))
    # Broken into lines for people only: who pipes it on wants it as it is.
    return "\n".join(flowed(text, shutil.get_terminal_size().columns)) if sys.stdout.isatty() else text


def content_text(parts: Sequence[Content]) -> str:
    """Returns content as text: its texts and JSON texts, one after the other."""
    return "\n".join(part.text or part.json for part in parts)


def took(run: Run) -> str:
    """Says how long a run took; empty while it goes."""
    return for_people(seconds_between(run.create_time, run.finish_time)) if run.HasField("finish_time") else ""


def usage_text(usage: Usage) -> str:
    """Says what models were used for; empty when none was."""
    if not usage.model_requests and not usage.input_tokens and not usage.output_tokens:
        return ""
    requests = count(usage.model_requests, "model request")
    return f"{requests}, {count(usage.input_tokens, 'token')} in, {usage.output_tokens:,} out"
