"""A run on a terminal: what it does at the moment, drawn anew as it goes, and in the end the answer as plain text."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from penstock.cli.amounts import count
from penstock.cli.answer import Answer
from penstock.cli.flow import flowed, last_lines
from penstock.cli.keys import Keys
from penstock.cli.live_work import Doing, LiveWork, Told
from penstock.cli.region import Region
from penstock.cli.run_text import state_name
from penstock.cli.table import columns_of, cut
from penstock.cli.terminal import line, printable, styled
from penstock.client import Run, RunEvent, RunState, Transcript
from penstock.client.render import Anew, Shown

FRAME_SECONDS: Final = 0.05
# A clock that is seen to go; without news there is no frame more often.
QUIET_FRAME_SECONDS: Final = 0.25
SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
# Of a line with figures, what its beginning needs to say anything.
LEAST_TEXT: Final = 6
ASIDE_LINES: Final = 4
ASIDE_KEPT: Final = 4000


class LiveView:
    """Shows a run at the lower end of the screen, and leaves a line above for each thing that has ended.

    The answer grows there as it is said, its last lines where it is longer than the screen. At the end it is printed
    whole, from one attempt of its step, so that it is what stays. What other steps say, and reasoning, passes by.
    """

    def __init__(self, transcript: Transcript) -> None:
        self._answer = Answer(transcript)
        self._work = LiveWork()
        self._region = Region(sys.stderr)
        self._keys = Keys()
        self._run = Run()
        self._text = ""
        self._aside = ""
        self._unsaid = ""
        self._lost = ""
        self._lost_over: Callable[[], bool] = bool
        self._timer: asyncio.TimerHandle | None = None
        self._news = True
        self._drawn_at = 0.0

    def begin(self, run: Run) -> None:
        """Takes in what the run is to do, and begins to draw; needs a running event loop."""
        self._run.CopyFrom(run)
        self._answer.begin(run)
        self._keys.hide()
        self._tick()

    def show(self, event: RunEvent) -> None:
        """Takes one event into the picture."""
        self._news, self._lost = True, ""
        if event.HasField("run_started"):
            self._run.state = RunState.RUN_STATE_RUNNING
        if event.HasField("step_started"):
            self._aside = ""
        shown = self._answer.take(event)
        if isinstance(shown, Shown):
            self._take_text(shown)
        elif isinstance(shown, Anew) and self._answer.has(shown):
            self._text = shown.kept
        if told := self._work.take(event):
            self._keep(told)
        self._unsaid = self._answer.unsaid(event) or self._unsaid

    def say(self, text: str, over: Callable[[], bool]) -> None:
        """Says something about the watching itself, until it is over or the next event comes."""
        if not self._lost:
            self._keep(Told("⚠", "33", text))
        self._news, self._lost, self._lost_over = True, text, over

    def pause(self) -> None:
        """Leaves the screen to somebody else."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._region.clear()
        self._keys.show()

    def end(self) -> None:
        """Leaves the answer on the screen, as plain text."""
        self.pause()
        self._print(self._text)
        if self._unsaid and self._text:
            print(styled("the output, which is not what was said above:", "2", sys.stderr), file=sys.stderr, flush=True)
        self._print(self._unsaid)
        self._text = self._unsaid = ""

    def _print(self, text: str) -> None:
        if text:
            width = self._region.size[0] - 1
            sys.stdout.write("\n".join(flowed(printable(text.rstrip("\n")), width)) + "\n")
            sys.stdout.flush()

    def _take_text(self, shown: Shown) -> None:
        if self._answer.has(shown):
            self._text, self._aside = self._text + shown.text, ""
        else:
            self._aside = (self._aside + shown.text)[-ASIDE_KEPT:]

    def _keep(self, told: Told) -> None:
        width = self._region.size[0] - 1
        first, *rest = flowed(line(told.text, None), width - 2)
        mark = styled(told.mark, told.style, sys.stderr)
        self._region.keep([f"{mark} {self._dim(first)}", *(self._dim(f"  {more}") for more in rest)])

    def _tick(self) -> None:
        now = time.monotonic()
        if self._news or now - self._drawn_at >= QUIET_FRAME_SECONDS:
            self._news, self._drawn_at = False, now
            self._region.draw(self._frame())
        self._timer = asyncio.get_running_loop().call_later(FRAME_SECONDS, self._tick)

    def _frame(self) -> list[str]:
        columns, rows = self._region.size
        width = columns - 1
        lines = [
            styled(_with_figures(text, figures, width), style, sys.stderr)
            for text, figures, style in self._head(time.time_ns())
        ]
        lines = lines[: max(rows - 2, 1)]
        room = rows - 1 - len(lines)
        if self._aside.strip():
            aside = last_lines(self._aside.rstrip("\n"), width, min(ASIDE_LINES, room))
            return lines + [self._dim(text) for text in aside]
        return lines + (last_lines(self._text, width, room) if self._text else [])

    def _head(self, now: int) -> Iterator[tuple[str, str, str]]:
        """Gives what may be cut, the figures after it, and a style for each line on what is being done."""
        turning = SPINNER[int(time.monotonic() * 8) % len(SPINNER)]
        elapsed = f"{max(now - self._run.create_time.ToNanoseconds(), 0) / 1e9:.1f} s"
        yield f"{turning} {self._run.run_id}", f" {state_name(self._run.state)}  {elapsed}", "1"
        if self._lost and self._lost_over():
            self._lost = ""  # a run may be silent for long after its reader is back
        if self._lost:
            yield f"  {self._lost}", "", "33"
        elif self._run.state == RunState.RUN_STATE_QUEUED:
            yield f"  queued behind another run of session {line(self._run.session_id)}", "", "2"
        for step_id, attempt in self._work.attempts.items():
            yield f"  ▸ {attempt.what}", f"  {_seconds(attempt, now)} · {count(attempt.tokens, 'token')}", "2"
            for (of_step, _), call in self._work.calls.items():
                if of_step == step_id:
                    yield f"    → {call.what}", f"  {_seconds(call, now)}", "36"

    def _dim(self, text: str) -> str:
        return styled(text, "2", sys.stderr)


def _with_figures(text: str, figures: str, width: int) -> str:
    room = width - columns_of(figures)
    return cut(text, room) + figures if room >= LEAST_TEXT else cut(text + figures, width)


def _seconds(doing: Doing, now: int) -> str:
    return f"{doing.seconds_at(now):.1f} s"
