"""What holds for every command: JSON for programs, and lines that fit the screen for people."""

import json
import signal

import pytest

from penstock.cli.table import columns_of
from tests.cli.conftest import OnTerminal, Run, Start

COMMANDS = (
    ("run", "x", "--agent", "echo"),
    ("run", "x", "--agent", "echo", "--detach"),
    ("attach", "RUN"),
    ("chat", "--agent", "echo"),
    ("runs",),
    ("get", "RUN"),
    ("cancel", "RUN"),
    ("way", "RUN"),
    ("trace", "RUN"),
    ("sessions",),
    ("sessions", "everywhere"),
    ("events", "publish", "everywhere", '{"text": "LONG"}', "--type", "a.thing.that.has.a.rather.long.name"),
    ("events", "follow", "everywhere", "--from-beginning", "--limit", "1"),
    ("status",),
    ("agents",),
    ("tools",),
)
commands = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
LONG = "a paragraph of an answer that goes on and on and is longer than any screen is wide 日本語 " * 3


@pytest.fixture(scope="module")
def run_ids() -> dict[str, str]:
    """The run that the commands look at, once it was made."""
    return {}


@pytest.fixture
def command_line(told: Run, run_ids: dict[str, str]) -> "list[str]":
    """Fills in a run that has ended, of a conversation."""
    if not run_ids:
        made = told("run", LONG, "--agent", "echo", "--session", "everywhere", "--label", "color=red", "--json")
        run_ids["RUN"] = made.stderr.split()[0]
        assert told("events", "publish", "everywhere", json.dumps({"text": LONG})).exit_code == 0
    return [run_ids["RUN"]]


@commands
def test_json_is_one_object_a_line_on_stdout_and_nothing_else(
    told: Run, command_line: list[str], command: tuple[str, ...]
) -> None:
    """Of every command, so that jq reads it; 64-bit numbers are strings, which keep every digit."""
    result = told(*(command_line[0] if word == "RUN" else word for word in command), "--json", stdin="hello\n")
    assert result.exit_code == 0, result.output
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert objects
    assert all(isinstance(found, dict) for found in objects)
    for found in objects:
        for name in ("sequence", "last_sequence"):
            assert isinstance(found.get(name, ""), str)


@commands
@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    on_terminal: OnTerminal, command_line: list[str], command: tuple[str, ...], columns: int
) -> None:
    """Nothing is left to the terminal to break, where it would break words; and no line uses colours that vanish."""
    words = [command_line[0] if word == "RUN" else word for word in command]
    shown = on_terminal(*words, columns=2000, rows=50, COLUMNS=str(columns))
    if command[0] == "chat":
        shown.expect("> ")
        shown.type("hello\n")
        shown.expect("> ", 2)
        shown.type("\x04")
    assert shown.finish() == 0
    assert shown.screen.strange == []
    # A command that is there to be copied stays whole.
    lines = [line for line in shown.screen.lines if not line.startswith("  penstock ")]
    assert max(map(columns_of, lines)) <= columns
    for vanishing in ("\x1b[30m", "\x1b[37m", "\x1b[97m", "\x1b[93m", "\x1b[90m"):
        assert vanishing not in shown.raw


def test_status_is_watched_until_ctrl_c(on_terminal: OnTerminal) -> None:
    """Drawn in one place."""
    shown = on_terminal("status", "--watch", "--every", "100ms")
    shown.expect("Ctrl-C ends", 3)
    assert shown.screen.text.count("orchestrator") == 1
    assert shown.screen.text.count("Ctrl-C ends") == 1
    shown.type("\x03")
    assert shown.finish() == 0


def test_status_is_watched_as_json_and_nothing_else(started: Start) -> None:
    """Also at Ctrl-C."""
    watching = started("status", "--watch", "--every", "100ms", "--json")
    assert watching.stdout is not None
    assert len(json.loads(watching.stdout.readline())["layers"]) == 5
    watching.send_signal(signal.SIGINT)
    rest, _ = watching.communicate(timeout=20)
    assert watching.returncode == 0
    assert all(json.loads(line)["layers"] for line in rest.split("\n")[:-1])


def test_watching_goes_on_while_nothing_answers(on_terminal: OnTerminal) -> None:
    """Since that is what is watched for."""
    shown = on_terminal("status", "--watch", "--every", "100ms", PENSTOCK_ADDRESS="127.0.0.1:1")
    shown.expect("nothing answers at 127.0.0.1:1", 2)
    shown.process.send_signal(signal.SIGINT)
    assert shown.finish() == 0
