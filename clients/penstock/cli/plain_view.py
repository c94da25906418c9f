"""A run as plain lines: the answer on stdout as it comes, everything else on stderr."""

import sys
from collections.abc import Callable

from penstock.cli.answer import Answer
from penstock.cli.causes import Causes
from penstock.cli.event_text import result_text, told
from penstock.cli.terminal import line, note, printable, styled
from penstock.client import Run, RunEvent, RunState, Transcript
from penstock.client.render import Anew, Shown


class PlainView:
    """Prints a run's events as they come.

    What other steps than the last write, and reasoning, goes to stderr. What was printed can't be taken back: after a
    rewind the view says so and prints the attempt anew.
    """

    def __init__(self, transcript: Transcript) -> None:
        self._answer = Answer(transcript)
        self._tools: dict[str, str] = {}
        self._kept = ""
        self._failure: tuple[str, str] | None = None
        self._causes = Causes()
        self._out_open = False
        self._err_open = False

    def begin(self, run: Run) -> None:
        """Takes in what the run is to do."""
        self._answer.begin(run)
        if run.state == RunState.RUN_STATE_QUEUED:
            self._note(f"queued behind another run of session {line(run.session_id)}")

    def show(self, event: RunEvent) -> None:
        """Prints one event."""
        self._say_failure(event)
        shown = self._answer.take(event)
        if isinstance(shown, Shown):
            self._text(shown)
        elif isinstance(shown, Anew):
            self._anew(shown)
        elif text := self._line_for(event):
            self._note(text)
        if output := self._answer.unsaid(event):
            self._output(output, event.step_id)

    def say(self, text: str, over: Callable[[], bool]) -> None:
        """Says something about the watching itself, which stays."""
        self._note(text)

    def pause(self) -> None:
        """Leaves the screen to somebody else."""
        self.end()

    def end(self) -> None:
        """Says what was held back, and closes the line that is still open on stdout."""
        self._say_failure(None)
        self._close_err()
        self._write_kept()
        self._close_out()

    def _say_failure(self, after: RunEvent | None) -> None:
        # Mostly the very next event tells it too, as the run's own error or as why the attempt was lost.
        if self._failure is not None:
            (step_id, why), self._failure = self._failure, None
            if after is not None and after.step_id == step_id and after.rewind.cause.message == why:
                return
            if after is None or after.run_finished.error.message != why:
                self._note(f"✗ step {step_id}: {self._causes.tell(why, None)}")
            elif self._answer.many_steps:
                self._note(f"✗ step {step_id}")

    def _text(self, shown: Shown) -> None:
        if not self._answer.has(shown):
            sys.stderr.write(styled(printable(shown.text), "2", sys.stderr))
            sys.stderr.flush()
            self._err_open = not shown.text.endswith("\n")
        else:
            self._close_err()
            self._write_kept()
            self._write_out(shown.text)

    def _anew(self, anew: Anew) -> None:
        why = self._causes.in_brackets(anew.cause)
        self._note(f"↺ attempt {anew.attempt} of step {anew.step_id} was lost{why}; what it said is printed anew")
        if self._answer.has(anew):
            self._close_out()
            self._kept = anew.kept  # printed when the next attempt speaks, below the notes on its beginning

    def _output(self, output: str, step_id: str) -> None:
        if self._answer.transcript.text_of(step_id):
            self._note("the output, which is not what was said above:")
            self._close_out()
        self._write_out(output)

    def _line_for(self, event: RunEvent) -> str:
        match event.WhichOneof("event"):
            case "step_started" if self._answer.many_steps or event.attempt > 1:
                runs = event.step_started.agent or event.step_started.tool
                again = f", attempt {event.attempt}" if event.attempt > 1 else ""
                return f"▸ step {event.step_id}: {line(runs)}{again}"
            case "tool_call":
                self._tools[event.tool_call.call_id] = event.tool_call.tool
                return f"→ {line(event.tool_call.tool)} {line(event.tool_call.arguments_json)}"
            case "tool_result":
                return f"← {line(self._tools.get(event.tool_result.call_id, 'tool'))} {result_text(event.tool_result)}"
            case "step_finished" if event.step_finished.HasField("error"):
                self._failure = event.step_id, event.step_finished.error.message
        return told(event)

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
