"""What was typed wrongly, or can't be done, is explained; nothing ends in a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli.main import app
from tests.cli.conftest import Run

COMMANDS = (
    *("run", "attach", "chat", "runs", "get", "cancel", "way", "trace", "sessions", "status", "agents", "tools"),
)
HEAVY = ("grpc", "google.protobuf", "yaml", "penstock.client", "penstock.v1")


def said(text: str) -> str:
    """What a message says, without its frame and its line breaks."""
    return " ".join(text.replace("│", " ").split())


def test_help_and_version_import_nothing_heavy() -> None:
    """They answer at once."""
    script = f"""
import sys
from penstock.cli.main import app
for arguments in (["--help"], ["run", "--help"], ["--version"]):
    try:
        app(arguments)
    except SystemExit as ended:
        assert ended.code == 0, ended.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "penstock 0." in ended.stdout


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_by_example(command: str, columns: int) -> None:
    """Help is there at any width, needs no mesh, and shows what to type and what --json is good for."""
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": str(columns)})
    assert result.exit_code == 0
    for told in ("PENSTOCK_ADDRESS", "Examples:", f"penstock {command}", "--json", "| jq"):
        assert told in said(result.stdout)
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    # What is there to be copied is on one line.
    examples = [line for line in lines if line.strip().startswith(("penstock ", "printf "))]
    assert len(examples) >= 2
    assert all(line.count("'") % 2 == 0 for line in examples)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "give a TASK, or --file"),
        (["run", "x", "--agent", "a", "--workflow", "w"], "one of --agent, --plan and --workflow"),
        (["run", "x", "--timeout", "soon"], "write 30s, 1.5m, 2h"),
        (["run", "x", "--label", "novalue"], "not of the form K=V"),
        (["run", "x", "--label", "a=1", "--label", "a=2"], "given twice"),
        (["run", "x", "--on-busy", "wait"], "'enqueue', 'reject', 'interrupt'"),
        (["run", "x", "--durability", "forever"], "'process', 'power', 'replica'"),
        (["run", "x", "--agent", "a", "--on-busy", "enqueue"], "needs --session"),
        (["run", "--file", "/no/such/file"], "No such file"),
        (["run", "x", "--address", "nowhere"], "write host:port"),
        (["get", "x", "--address", "nowhere"], "write host:port"),
        (["attach", "x", "--after", "-1"], "greater than or equal to 0"),
        (["runs", "--state", "done"], "'succeeded'"),
        (["sessions", "--delete"], "say which"),
        (["sessions", "tuesday", "--delete"], "add --yes"),
        (["status", "--watch", "--every", "soon"], "write 30s, 1.5m, 2h"),
        (["chat", "--timeout", "soon"], "write 30s, 1.5m, 2h"),
        (["frobnicate"], "No such command"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_how_to_mend_it(arguments: list[str], says: str) -> None:
    """Before any mesh is called."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert says in said(result.stderr)
    assert result.stdout == ""


def test_a_plan_with_mistakes_is_refused_with_each_path(tmp_path: Path) -> None:
    """All of them, in the file's own terms."""
    plan = tmp_path / "p.yaml"
    plan.write_text("steps: [{step_id: a, agnt: {}}, {timeout: 3}]")
    result = CliRunner().invoke(app, ["run", "x", "--plan", str(plan)])
    assert result.exit_code == 2
    assert "steps[0].agnt: is no field; did you mean agent?" in said(result.stderr)
    assert "steps[1].timeout" in said(result.stderr)


def test_a_file_that_is_no_text_is_refused_with_the_byte(tmp_path: Path) -> None:
    """It would otherwise arrive garbled."""
    (tmp_path / "f").write_bytes(b"ok\xff")
    result = CliRunner().invoke(app, ["run", "--file", str(tmp_path / "f")])
    assert result.exit_code == 2
    assert "not UTF-8 at byte 2" in said(result.stderr)


def test_without_an_agent_and_with_several_they_are_listed(penstock: Run) -> None:
    """The mesh is asked what there is."""
    result = penstock("run", "x")
    assert result.exit_code == 2
    assert "broken, count, rich, structured, stuck" in said(result.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "x"],
        ["run", "x", "--agent", "a", "--json"],
        ["run", "x", "--agent", "a", "--detach"],
        ["attach", "run-x"],
        ["sessions", "tuesday", "--delete", "--yes"],
    ]
    + [[name] for name in ("runs", "status", "agents", "tools", "sessions", "chat")]
    + [[name, "run-x"] for name in ("get", "cancel", "way", "trace", "sessions")],
    ids=" ".join,
)
def test_where_nothing_answers_every_command_exits_with_3_and_says_what_to_do(arguments: list[str]) -> None:
    """Where it looked, which request it was, and how to start a mesh."""
    result = CliRunner().invoke(app, [*arguments, "--address", "127.0.0.1:1"])
    assert result.exit_code == 3
    assert result.stdout == ""
    for told in (
        "nothing answers at 127.0.0.1:1",
        "  request  req-",
        "`penstockd`",
        "in a checkout: `make up`",
        "--address HOST",
    ):
        assert told in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "x", "--agent", "coumt"], ["did you mean 'count'?", "AGENT_NOT_FOUND", "`penstock agents"]),
        (["get", "run-none"], ["run-none", "RUN_NOT_FOUND", "`penstock runs"]),
        (["attach", "run-none"], ["run-none", "RUN_NOT_FOUND"]),
        (["run", " ", "--agent", "count"], ["spec.input", "INVALID_ARGUMENT"]),
        (["run", "x", "--agent", "count", "--timeout", "99d"], ["spec.timeout"]),
        (["get", "no id"], ["run_id"]),
        (["trace", "run-none"], ["run-none", "RUN_NOT_FOUND", "`penstock runs"]),
        (["sessions", "none"], ["SESSION_NOT_FOUND", "`penstock sessions"]),
    ],
)
def test_a_refused_call_exits_with_3_and_says_why(penstock: Run, arguments: list[str], says: list[str]) -> None:
    """The server's reason, its nearest names, and the request for its log."""
    result = penstock(*arguments)
    assert result.exit_code == 3
    for told in [*says, "  request  req-"]:
        assert told in result.stderr


def test_what_is_not_built_yet_is_not_taken_for_another_kind_of_server(penstock: Run, tmp_path: Path) -> None:
    """The mesh itself says what it can't do yet; asking whether it is a gateway would mislead."""
    plan = tmp_path / "waits.yaml"
    plan.write_text("sequential: true\nsteps: [{step_id: sure, wait: {approval: 'sure?'}}]\n")
    result = penstock("run", "x", "--plan", str(plan))
    assert result.exit_code == 3
    assert "not built yet" in result.stderr
    assert "a Penstock gateway of this version" not in result.stderr
