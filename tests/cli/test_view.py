"""How a run looks while it goes: rewinds, control characters, and what is no answer."""

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.live_work import LiveWork
from penstock.cli.plain_view import PlainView
from penstock.cli.terminal import line, printable
from penstock.client import Run, RunEvent, Transcript
from penstock.v1.run_event_pb2 import Rewind, RunFinished, StepFinished, StepStarted, Token, TurnFinished
from penstock.v1.run_pb2 import Content


def shown(*events: RunEvent) -> None:
    """Shows a run of one step."""
    run = Run(run_id="run-1")
    run.plan.steps.add(step_id="main").agent.agent = "a"
    view = PlainView(Transcript())
    view.begin(run)
    for sequence, event in enumerate(events, 1):
        event.sequence, event.step_id = sequence, event.step_id or "main"
        view.show(event)
    view.end()


def said(text: str, attempt: int = 1) -> RunEvent:
    """A token."""
    return RunEvent(attempt=attempt, token=Token(text=text))


def test_after_a_rewind_the_attempt_is_printed_anew_below_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    """With what its finished turns keep; the last block on stdout is the answer."""
    shown(
        RunEvent(attempt=1, step_started=StepStarted(agent="a")),
        said("kept "),
        RunEvent(attempt=1, turn_finished=TurnFinished(turn=1)),
        said("lost"),
        RunEvent(attempt=1, rewind=Rewind(from_sequence=4, cause=Status(message="executor lost"))),
        RunEvent(attempt=2, step_started=StepStarted(agent="a")),
        said("found", attempt=2),
    )
    printed = capsys.readouterr()
    assert printed.out == "kept lost\nkept found\n"
    assert "attempt 1 of step main was lost (executor lost)" in printed.err
    assert "step main: a, attempt 2" in printed.err


def test_what_an_attempt_keeps_is_printed_even_if_no_more_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The next attempt may have nothing to add."""
    shown(said("kept"), RunEvent(attempt=1, rewind=Rewind(from_sequence=2)))
    assert capsys.readouterr().out == "kept\nkept\n"


def test_an_output_that_differs_from_what_was_said_is_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is the output; a note tells the two apart."""
    finished = StepFinished(outcome=1, output=[Content(json="[1]")])  # type: ignore[arg-type]  # numbers are enum values
    shown(said("as a list:"), RunEvent(attempt=1, step_finished=finished))
    printed = capsys.readouterr()
    assert printed.out == "as a list:\n[1]\n"
    assert "the output, which is not what was said above" in printed.err


@pytest.mark.parametrize(("ends_with", "times"), [("it broke", 0), ("out of time", 1)])
def test_a_failed_steps_sentence_is_left_to_the_runs_error_if_it_is_the_same(
    capsys: pytest.CaptureFixture[str], ends_with: str, times: int
) -> None:
    """Which is printed below, with its reason and its request."""
    shown(
        RunEvent(attempt=1, step_finished=StepFinished(error=Status(message="it broke"))),
        RunEvent(run_finished=RunFinished(error=Status(message=ends_with))),
    )
    assert capsys.readouterr().err.count("step main: it broke") == times


def test_a_cause_that_comes_again_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """With the attempt that was lost by it; another cause is told too, and the last is left to the run's own error."""
    causes = ["it broke", "it broke", "out of time", "it broke"]
    events: list[RunEvent] = []
    for attempt, cause in enumerate(causes, 1):
        events.append(RunEvent(attempt=attempt, step_finished=StepFinished(error=Status(message=cause))))
        if attempt < len(causes):
            events.append(RunEvent(attempt=attempt, rewind=Rewind(cause=Status(message=cause))))
    shown(*events, RunEvent(run_finished=RunFinished(error=Status(message="it broke"))))
    said = capsys.readouterr().err.splitlines()
    assert [line.removesuffix("; what it said is printed anew") for line in said] == [
        "↺ attempt 1 of step main was lost (it broke)",
        "↺ attempt 2 of step main was lost (for the same reason)",
        "↺ attempt 3 of step main was lost (out of time)",
    ]


def test_the_live_view_tells_a_cause_that_comes_again_once() -> None:
    """Each lost attempt has its line all the same."""
    work = LiveWork()
    rewinds = [RunEvent(step_id="main", attempt=n, rewind=Rewind(cause=Status(message="it broke"))) for n in (1, 2)]
    lines = [told.text for event in rewinds if (told := work.take(event))]
    assert lines == [
        "attempt 1 of step main was lost (it broke)",
        "attempt 2 of step main was lost (for the same reason)",
    ]


@given(st.text())
def test_no_text_that_goes_to_a_terminal_can_drive_it(text: str) -> None:
    """Escape sequences become visible, and all else stays as it was."""
    made = printable(text)
    assert not any(ord(char) < 32 and char not in "\t\n" for char in made)
    assert not any(0x7F <= ord(char) < 0xA0 for char in made)
    if text.isprintable():
        assert made == text


@given(st.text(), st.integers(1, 50))
def test_a_note_is_one_line_of_at_most_its_length(text: str, limit: int) -> None:
    """Whatever an agent or a tool puts into it."""
    made = line(text, limit)
    assert len(made) <= limit
    assert "\n" not in made
