"""A run on a terminal: what is drawn while it goes, and what stays."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import OnTerminal, Run
from tests.cli.emulator import Emulator

PLAN = "steps: [{step_id: main, agent: {agent: unlucky}, retry: {max_attempts: 2}}]"


def id_in(text: str) -> str:
    """The last run id in a text."""
    return re.findall(r"run-[a-z2-7]{26}", text)[-1]


def test_a_run_is_drawn_while_it_goes_and_leaves_steps_tools_answer_and_usage(on_terminal: OnTerminal) -> None:
    """Its spinner and clock are gone at the end."""
    shown = on_terminal("run", "hello", "--agent", "echo")
    assert shown.finish() == 0
    lines = shown.screen.lines
    assert re.fullmatch(r"✓ step main echo · [\d.]+ m?s · 2 tokens", lines[0])
    assert lines[1] == "0 before. You said: hello"
    assert "1 model request, 10 tokens in, 2 out" in " ".join(" ".join(lines[2:4]).split())
    assert "RUNNING" not in shown.screen.text
    assert shown.screen.strange == []


def test_a_tool_call_is_shown_with_its_arguments_while_it_goes(on_terminal: OnTerminal) -> None:
    """With a clock, and the words said before it."""
    shown = on_terminal("run", "hello", "--agent", "calls")
    shown.expect('→ ponder {"text":"hello"}')
    assert "RUNNING" in shown.screen.text
    assert "▸ main calls" in shown.screen.text
    assert shown.screen.lines[-1] == "calling"


def test_what_another_step_says_passes_by_and_does_not_stay(on_terminal: OnTerminal, told: Run, tmp_path: Path) -> None:
    """Only the last step's text is the answer; each step's words stand by themselves."""
    steps = (
        "{step_id: a, agent: {agent: echo}}, {step_id: b, agent: {agent: calls}}, {step_id: c, agent: {agent: echo}}"
    )
    (tmp_path / "plan.yaml").write_text(f"sequential: true\nsteps: [{steps}]")
    shown = on_terminal("run", "hello", "--plan", str(tmp_path / "plan.yaml"))
    shown.expect("→ ponder")
    shown.expect("calling")
    assert "calling" in shown.screen.lines
    assert "You said" not in shown.screen.text
    told("cancel", json.loads(told("runs", "--limit", "1", "--json").stdout)["run_id"])
    assert shown.finish() == 1
    assert "calling" not in shown.screen.text
    assert "✓ step a echo" in shown.screen.text


def test_after_a_lost_attempt_exactly_one_attempts_answer_stays(on_terminal: OnTerminal, tmp_path: Path) -> None:
    """And it is said that one was lost."""
    (tmp_path / "plan.yaml").write_text(PLAN)
    shown = on_terminal("run", "hello", "--plan", str(tmp_path / "plan.yaml"))
    assert shown.finish() == 0
    assert "RIGHT 5" in shown.screen.lines
    assert "WRONG" not in shown.screen.text
    assert "↺ attempt 1 of step main was lost (not yet)" in shown.screen.text
    assert '✓ weigh {"text":"hello"} · succeeded from the record' in shown.screen.text


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40), (40, 6), (12, 3), (2, 1)])
def test_an_answer_longer_than_the_screen_stays_whole_on_any_screen(
    on_terminal: OnTerminal, columns: int, rows: int
) -> None:
    """Wrapped at word ends, with wide characters, and with control characters made visible."""
    said = "one two three four five six seven eight"
    shown = on_terminal("run", said, "--agent", "writes", columns=columns, rows=rows)
    assert shown.finish() == 0
    assert shown.screen.strange == []
    words = "".join(shown.screen.text.split())
    for number in range(50):
        line = f"{said} {number} 日本語 \\x1b[2J\\x1b[31m"
        assert words.count("".join(line.split())) == 1
    if columns >= 40:
        answer = [line for line in shown.screen.lines if "日" in line or "one two" in line]
        assert all(not line.startswith("wo ") and not line.endswith(" thr") for line in answer)


def test_a_terminal_that_is_made_smaller_meanwhile_loses_nothing(on_terminal: OnTerminal) -> None:
    """The next frame fits the new size."""
    shown = on_terminal("run", "hello", "--agent", "waits", columns=120, rows=40)
    shown.expect("heard hello")
    shown.resize(30, 5)
    before = len(shown.raw)
    shown.expect("RUNNING", shown.raw.count("RUNNING") + 3)
    narrow = Emulator(30, 5)
    narrow.feed(shown.raw[shown.raw.index("\r", before) :])
    assert narrow.lines[-1] == "" or narrow.lines[-1] == "heard hello"
    assert max(map(len, narrow.lines)) <= 30
    shown.type("\x03")
    shown.expect("cancels it")
    shown.type("c\n")
    assert shown.finish() == 1


def test_ctrl_c_and_enter_leave_the_run_going_and_say_how_to_read_on(on_terminal: OnTerminal, told: Run) -> None:
    """Leaving is the default; what was typed before the question is no answer to it."""
    shown = on_terminal("run", "hello", "--agent", "waits")
    shown.expect("heard hello")
    shown.type("c\n")
    shown.type("\x03")
    shown.expect("Enter leaves it going, c and Enter cancels it")
    shown.type("\n")
    assert shown.finish() == 130
    run_id = id_in(shown.screen.text)
    assert "heard hello" in shown.screen.lines
    assert f"penstock attach {run_id} --after 3" in shown.screen.text
    assert json.loads(told("get", run_id, "--json").stdout)["state"] == "RUN_STATE_RUNNING"
    told("cancel", run_id)


def test_ctrl_c_and_c_cancel_the_run_and_show_its_end(on_terminal: OnTerminal, told: Run) -> None:
    """With exit code 1, as a run that did not succeed has; what it said is printed once."""
    shown = on_terminal("run", "hello", "--agent", "waits")
    shown.expect("heard hello")
    shown.type("\x03")
    shown.expect("cancels it")
    shown.type("c\n")
    assert shown.finish() == 1
    assert "is being cancelled" in shown.screen.text
    assert "after event" not in shown.screen.text
    assert shown.screen.text.count("heard hello") == 1
    assert json.loads(told("get", id_in(shown.screen.text), "--json").stdout)["state"] == "RUN_STATE_CANCELLED"


@pytest.mark.parametrize("flags", [(), ("--plain",), ("--json",)])
def test_a_second_ctrl_c_leaves_at_once(on_terminal: OnTerminal, told: Run, flags: tuple[str, ...]) -> None:
    """In every view; the run goes on."""
    shown = on_terminal("run", "hello", "--agent", "waits", *flags)
    shown.expect("heard hello")
    shown.type("\x03")
    shown.expect("cancels it")
    shown.type("\x03")
    assert shown.finish() == 130
    run_id = id_in(shown.screen.text)
    assert f"penstock attach {run_id}" in shown.screen.text
    assert json.loads(told("get", run_id, "--json").stdout)["state"] == "RUN_STATE_RUNNING"
    told("cancel", run_id)


@pytest.mark.parametrize(
    ("flags", "environment"), [(("--plain",), {}), ((), {"TERM": "dumb"})], ids=["--plain", "TERM=dumb"]
)
def test_plain_lines_move_no_cursor(
    on_terminal: OnTerminal, flags: tuple[str, ...], environment: dict[str, str]
) -> None:
    """For screen readers, for logs, and for terminals that can't."""
    shown = on_terminal("run", "hello", "--agent", "echo", *flags, **environment)
    assert shown.finish() == 0
    assert shown.screen.lines[0] == "0 before. You said: hello"
    assert not re.search(r"\x1b\[[0-9;?]*[A-Za-ln-z]", shown.raw)
    assert ("\x1b[2m" in shown.raw) == (not environment)


def test_no_color_draws_without_colours(on_terminal: OnTerminal) -> None:
    """Any value of NO_COLOR will do; the live view stays."""
    shown = on_terminal("run", "hello", "--agent", "echo", NO_COLOR="1")
    assert shown.finish() == 0
    assert not re.search(r"\x1b\[[0-9;]*m", shown.raw)
    assert "✓ step main echo" in shown.screen.text


def test_characters_that_are_wider_than_was_thought_leave_nothing_behind(on_terminal: OnTerminal, told: Run) -> None:
    """As arrows and ellipses are on many terminals of East Asia."""
    shown = on_terminal("run", "a long argument of a tool", "--agent", "calls", columns=40)
    shown.screen = Emulator(40, 24, wide="WFA")
    shown.expect("→ ponder")
    shown.expect("RUNNING", shown.raw.count("RUNNING") + 3)
    assert shown.screen.text.count("▸ main") == 1
    assert len([line for line in shown.screen.lines if line]) == 4
    told("cancel", json.loads(told("runs", "--limit", "1", "--json").stdout)["run_id"])


@pytest.mark.parametrize("keys", ["\n\n\n", "x", "\x1b[A"])
def test_keys_pressed_meanwhile_do_not_show(on_terminal: OnTerminal, keys: str) -> None:
    """They would move the lines that are drawn anew."""
    shown = on_terminal("run", "hello", "--agent", "waits")
    shown.expect("heard hello")
    shown.type(keys)
    shown.expect("RUNNING", shown.raw.count("RUNNING") + 3)
    assert [line for line in shown.screen.lines if line][-1] == "heard hello"
    assert shown.screen.text.count("RUNNING") == 1


def test_a_command_that_is_told_to_end_leaves_the_terminal_in_order(on_terminal: OnTerminal) -> None:
    """Keys show again; a terminal that stays silent would be of no use."""
    shown = on_terminal("run", "hello", "--agent", "waits")
    shown.expect("heard hello")
    assert not shown.shows_keys
    shown.process.send_signal(signal.SIGTERM)
    assert shown.finish() == 128 + signal.SIGTERM
    assert shown.shows_keys
    assert "Traceback" not in shown.screen.text
