"""`penstock run` and `attach` against a real mesh."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Start

ONE_TO_FIVE = "1 2 3 4 5 "


def run_id_in(text: str) -> str:
    """The first run id in a text."""
    return next(word for word in text.split() if word.startswith("run-"))


def test_stdout_is_the_answer_and_stderr_is_all_else(penstock: Run) -> None:
    """So that the answer can be piped on."""
    result = penstock("run", "hello", "--agent", "rich")
    assert result.exit_code == 0
    assert result.stdout == "\x1b[31m5 characters\n"
    for told in ("let me think", "measuring (50%)", 'measure {"text":"hello"}', "measure succeeded in", "length 5"):
        assert told in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("run-")
    assert " SUCCEEDED · " in last
    assert "· 1 token ·" in last


def test_json_prints_the_whole_log_one_event_a_line(penstock: Run) -> None:
    """In the proto's own field names, so that what the documentation says of the proto holds for it."""
    result = penstock("run", "5", "--agent", "count", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["sequence"] for event in events] == [str(n) for n in range(1, len(events) + 1)]
    assert "".join(event["token"]["text"] for event in events if "token" in event) == ONE_TO_FIVE
    assert events[1]["step_started"] == {"agent": "count"}
    assert events[-1]["run_finished"]["state"] == "RUN_STATE_SUCCEEDED"


def test_a_run_that_fails_exits_with_1_and_says_which_request_finds_the_cause(penstock: Run, address: str) -> None:
    """What it had said stays on stdout, and the sentence is said once."""
    result = penstock("run", "x", "--agent", "broken")
    assert result.exit_code == 1
    assert result.stdout == "so \n"
    assert "FAILED" in result.stderr
    assert "secret" not in result.output
    assert len(re.findall(r"\breq-[a-z2-7]{26}", result.stderr)) == 1
    assert f"`penstock way {run_id_in(result.stderr)} --address {address}`" in result.stderr
    sentence = next(line for line in result.stderr.splitlines() if line.startswith("error:")).removeprefix("error: ")
    assert result.stderr.count(sentence) == 1


def test_an_output_that_was_not_said_is_printed_all_the_same(penstock: Run) -> None:
    """An agent may have an output without a word before it; a tool as the last step always does."""
    assert json.loads(penstock("run", "x", "--agent", "structured").stdout) == {"task": "x"}


def test_a_file_or_stdin_is_the_input(penstock: Run, tmp_path: Path) -> None:
    """Text of any language, byte for byte."""
    (tmp_path / "text").write_text("zwölf €")
    by_file = penstock("run", "--file", str(tmp_path / "text"), "--agent", "rich")
    assert "7 characters" in by_file.stdout
    by_stdin = penstock("run", "--file", "-", "--agent", "rich", stdin="zwölf €")
    assert "7 characters" in by_stdin.stdout


def test_only_the_last_steps_text_is_the_answer(penstock: Run, tmp_path: Path) -> None:
    """What the steps before it say can be watched on stderr."""
    (tmp_path / "plan.yaml").write_text(
        """
        sequential: true
        steps:
          - {step_id: first, agent: {agent: count, task: "3"}}
          - {step_id: second, agent: {agent: count, task: "5"}}
        """
    )
    result = penstock("run", "x", "--plan", str(tmp_path / "plan.yaml"))
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ONE_TO_FIVE + "\n"
    assert "step first: count\n1 2 3 \n" in result.stderr
    assert "step second: count\n" in result.stderr


def test_the_same_key_prints_the_same_run_again(penstock: Run) -> None:
    """From the first event on: the log is what is read."""
    first, second = (penstock("run", "5", "--agent", "count", "--key", "same-again", "--json") for _ in range(2))
    assert first.stdout == second.stdout != ""


def test_attaching_after_an_event_prints_the_rest(penstock: Run) -> None:
    """Nothing is missed, nothing comes twice, and the end says how it went."""
    whole = penstock("run", "5", "--agent", "count", "--json")
    run_id = run_id_in(whole.stderr)
    lines = whole.stdout.splitlines()
    assert penstock("attach", run_id, "--after", "4", "--json").stdout.splitlines() == lines[4:]
    at_end = penstock("attach", run_id, "--after", str(len(lines)))
    assert (at_end.exit_code, at_end.stdout) == (0, "")
    assert "SUCCEEDED · no events after" in at_end.stderr


def test_attaching_in_the_midst_of_an_answer_prints_its_rest_and_not_the_whole_again(penstock: Run) -> None:
    """Also where all of it had been said, and only the run's end was missed."""
    whole = penstock("run", "5", "--agent", "count", "--json")
    run_id, events = run_id_in(whole.stderr), [json.loads(line) for line in whole.stdout.splitlines()]
    tokens = [int(event["sequence"]) for event in events if "token" in event]
    midst = penstock("attach", run_id, "--after", str(tokens[1]))
    assert midst.stdout == "3 4 5 \n"
    assert f"3 tokens after event {tokens[1]}" in midst.stderr
    end = penstock("attach", run_id, "--after", str(tokens[-1]))
    assert (end.exit_code, end.stdout) == (0, "")


def test_attaching_in_the_midst_of_a_step_prints_an_output_that_was_never_said(penstock: Run) -> None:
    """It comes with the step's end, and so belongs to the rest."""
    run_id = run_id_in(penstock("run", "x", "--agent", "structured").stderr)
    assert json.loads(penstock("attach", run_id, "--after", "2").stdout) == {"task": "x"}


def test_a_run_that_is_left_to_itself_tells_its_id_alone_on_stdout(penstock: Run) -> None:
    """For scripts, which attach later."""
    result = penstock("run", "5", "--agent", "count", "--detach")
    assert penstock("attach", result.stdout.strip()).stdout == ONE_TO_FIVE + "\n"


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_ctrl_c_leaves_the_run_going_and_says_how_to_go_on(
    penstock: Run, started: Start, flags: tuple[str, ...]
) -> None:
    """Exit code 130, and the printed command reads on where this one stopped."""
    process = started("run", "x", "--agent", "stuck", *flags)
    assert process.stdout is not None
    while "waiting" not in (said := process.stdout.readline()):
        assert said, "it ended without a word"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    attach = next(line for line in stderr.splitlines() if "penstock attach" in line).partition("penstock ")[2].split()
    run_id = attach[1]
    assert json.loads(penstock("get", run_id, "--json").stdout)["state"] == "RUN_STATE_RUNNING"
    assert penstock("cancel", run_id, "--reason", "seen enough").exit_code == 0
    ended = penstock(*attach)
    assert ended.exit_code == 1
    assert "waiting" not in ended.stdout
    assert "CANCELLED" in ended.stderr


def test_a_reader_that_closes_the_pipe_ends_the_command_quietly(penstock: Run, started: Start) -> None:
    """As `| head -1` does; the run goes on to its end."""
    process = started("run", "2000", "--agent", "count", "--json")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("{")
    process.stdout.close()
    process.wait(timeout=60)
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_tokens_appear_as_they_arrive(started: Start, penstock: Run) -> None:
    """They are flushed one by one: this run says a word and never ends."""
    process = started("run", "x", "--agent", "stuck", "--label", "who=flush")
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    assert process.poll() is None
    for line in penstock("runs", "--state", "running", "--json").stdout.splitlines():
        penstock("cancel", json.loads(line)["run_id"])
    assert process.wait(timeout=60) == 1
