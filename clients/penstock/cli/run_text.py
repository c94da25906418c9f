"""Runs as text: one as a sheet, many as a table."""

from collections.abc import Sequence

from penstock.cli.amounts import count, for_people, local_time, seconds_between
from penstock.cli.table import screen_width, table
from penstock.cli.terminal import line, printable
from penstock.cli.view import text_of
from penstock.client import Run, RunState
from penstock.v1.run_pb2 import Usage
from penstock.wire.status import from_status


def state_name(state: RunState) -> str:
    """Returns a state's name, such as SUCCEEDED."""
    return RunState.Name(state).removeprefix("RUN_STATE_")


def runs_table(runs: Sequence[Run]) -> str:
    """Lays out runs, one a line."""
    head = ("RUN", "STATE", "CREATED", "TOOK", "EVENTS", "SESSION")
    rows = [
        (r.run_id, state_name(r.state), local_time(r.create_time), took(r), f"{r.last_sequence:,}", line(r.session_id))
        for r in runs
    ]
    return table(head, rows, screen_width())


def run_text(run: Run) -> str:
    """Writes all that a run says of itself, its answer last."""
    steps = ", ".join(f"{step.step_id} ({line(step.agent.agent or step.tool.tool)})" for step in run.plan.steps)
    facts = [
        ("run", run.run_id),
        ("state", state_name(run.state)),
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
            ("error", f"{line(error.message, 400)} ({error.reason})"),
            ("request", line(error.metadata.get("request_id", ""))),
        ]
    sheet = "\n".join(f"{name:<9}{value}" for name, value in facts if value)
    return f"{sheet}\n\n{printable(text_of(run.output))}" if run.output else sheet


def took(run: Run) -> str:
    """Says how long a run took; empty while it goes."""
    return for_people(seconds_between(run.create_time, run.finish_time)) if run.HasField("finish_time") else ""


def usage_text(usage: Usage) -> str:
    """Says what models were used for; empty when none was."""
    if not usage.model_requests and not usage.input_tokens and not usage.output_tokens:
        return ""
    requests = count(usage.model_requests, "model request")
    return f"{requests}, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
