"""How a run looks while it goes: the answer on stdout, everything else as dim lines on stderr."""

import sys
from collections.abc import Sequence

from penstock.cli.amounts import count, for_people, of_duration, seconds_between
from penstock.cli.terminal import line, note, printable, styled
from penstock.client.render import Anew, Shown, Transcript
from penstock.v1.run_event_pb2 import RunEvent, StepOutcome, ToolOutcome, ToolResult
from penstock.v1.run_pb2 import Content, Run, RunState


class View:
    """Prints a run's events as they come.

    The answer is the text of the plan's last step; what other steps write, and reasoning, goes to stderr. A terminal
    can't take back what it printed: after a rewind the view says so and prints the attempt anew. Of a step that is
    read from its midst on, only what comes then is printed, since what it said before is not known here.
    """

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._answer_step = ""
        self._many_steps = False
        self._seen_whole: set[str] = set()
        self._tools: dict[str, str] = {}
        self._kept = ""
        self._failure: tuple[str, str] | None = None
        self._out_open = False
        self._err_open = False

    def begin(self, run: Run) -> None:
        """Takes in what the run is to do."""
        self._answer_step = run.plan.steps[-1].step_id if run.plan.steps else ""
        self._many_steps = len(run.plan.steps) > 1
        if run.state == RunState.RUN_STATE_QUEUED:
            self._note(f"queued behind another run of session {line(run.session_id)}")

    def show(self, event: RunEvent) -> None:
        """Prints one event."""
        self._say_failure(event)
        shown = self._transcript.consume(event)
        if event.HasField("step_started") and event.attempt <= 1:
            self._seen_whole.add(event.step_id)
        if isinstance(shown, Shown):
            self._text(shown)
        elif isinstance(shown, Anew):
            self._anew(shown)
        elif text := self._line_for(event):
            self._note(text)
        if event.HasField("step_finished") and event.step_finished.outcome == StepOutcome.STEP_OUTCOME_SUCCEEDED:
            self._output(event)

    def end(self) -> None:
        """Says what was held back, and closes the line that is still open on stdout."""
        self._say_failure(None)
        self._close_err()
        self._write_kept()
        self._close_out()

    def _say_failure(self, after: RunEvent | None) -> None:
        # A run that fails ends with its step's error, in the very next event: its sentence is told there, once.
        if self._failure is not None:
            (step_id, why), self._failure = self._failure, None
            if after is None or after.run_finished.error.message != why:
                self._note(f"✗ step {step_id}: {line(why, None)}")
            elif self._many_steps:
                self._note(f"✗ step {step_id}")

    def _text(self, shown: Shown) -> None:
        if shown.reasoning or shown.step_id != self._answer_step:
            sys.stderr.write(styled(printable(shown.text), "2", sys.stderr))
            sys.stderr.flush()
            self._err_open = not shown.text.endswith("\n")
        else:
            self._close_err()
            self._write_kept()
            self._write_out(shown.text)

    def _anew(self, anew: Anew) -> None:
        why = f" ({line(anew.cause)})" if anew.cause else ""
        self._note(f"↺ attempt {anew.attempt} of step {anew.step_id} was lost{why}; what it said is printed anew")
        if anew.step_id == self._answer_step:
            self._close_out()
            self._kept = anew.kept  # printed when the next attempt speaks, below the notes on its beginning

    def _output(self, event: RunEvent) -> None:
        # Mostly the output is the text that was shown; a tool's, and an agent's that names its own, is not.
        output, shown = text_of(event.step_finished.output), self._transcript.text_of(event.step_id)
        said_before = event.step_id not in self._seen_whole and all(part.text for part in event.step_finished.output)
        if event.step_id == self._answer_step and output.strip() != shown.strip() and not said_before:
            if shown:
                self._note("the output, which is not what was said above:")
                self._close_out()
            self._write_out(output)

    def _line_for(self, event: RunEvent) -> str:
        match event.WhichOneof("event"):
            case "step_started" if self._many_steps or event.attempt > 1:
                runs = event.step_started.agent or event.step_started.tool
                again = f", attempt {event.attempt}" if event.attempt > 1 else ""
                return f"▸ step {event.step_id}: {line(runs)}{again}"
            case "progress":
                part = f" ({event.progress.fraction:.0%})" if event.progress.HasField("fraction") else ""
                return f"· {line(event.progress.message)}{part}"
            case "tool_call":
                self._tools[event.tool_call.call_id] = event.tool_call.tool
                return f"→ {line(event.tool_call.tool)} {line(event.tool_call.arguments_json)}"
            case "tool_result":
                return f"← {line(self._tools.get(event.tool_result.call_id, 'tool'))} {result_text(event.tool_result)}"
            case "custom":
                return f"· {line(event.custom.name)} {line(event.custom.payload_json)}"
            case "waiting":
                return f"… waits for {line(str(event.waiting))}"
            case "signal" if event.signal.signal.HasField("cancel"):
                return f"■ is being cancelled: {line(event.signal.signal.cancel.reason) or 'no reason given'}"
            case "step_finished" if event.step_finished.HasField("error"):
                self._failure = event.step_id, event.step_finished.error.message
        return ""

    def _note(self, text: str) -> None:
        self._close_err()
        if sys.stdout.isatty() and sys.stderr.isatty():
            self._close_out()  # both are one screen, and a note on the answer's own line would be in its way
        note(text)

    def _close_err(self) -> None:
        if self._err_open:
            sys.stderr.write("\n")
            sys.stderr.flush()
            self._err_open = False

    def _close_out(self) -> None:
        if self._out_open:
            self._write_out("\n")

    def _write_kept(self) -> None:
        kept, self._kept = self._kept, ""
        self._write_out(kept)

    def _write_out(self, text: str) -> None:
        if text:
            sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
            sys.stdout.flush()
            self._out_open = not text.endswith("\n")


def text_of(output: Sequence[Content]) -> str:
    """Returns an output as text: its texts and JSON texts, one after the other."""
    return "\n".join(part.text or part.json for part in output)


def result_text(result: ToolResult) -> str:
    """Says how a tool call ended, in a few words."""
    outcome = ToolOutcome.Name(result.outcome).removeprefix("TOOL_OUTCOME_").lower().replace("_", " ")
    source = "from the record" if result.from_record else f"in {of_duration(result.duration)}"
    why = f": {line(result.error.message)}" if result.HasField("error") else ""
    return f"{outcome} {source}{why}"


def summary(run: Run, last: RunEvent, tokens: int, after: int = 0) -> str:
    """Says in one line how a run ended; `tokens` are those after the event of that sequence."""
    state = RunState.Name(last.run_finished.state).removeprefix("RUN_STATE_")
    seconds = for_people(seconds_between(run.create_time, last.time))
    said = count(tokens, "token") + (f" after event {after}" if after else "")
    return f"{run.run_id} {state} · {count(last.sequence, 'event')} · {said} · {seconds}"
