"""Conversations, listed, shown and deleted."""

import json

import pytest

from tests.cli.conftest import OnTerminal, Run


@pytest.fixture
def talked(told: Run, request: pytest.FixtureRequest) -> str:
    """A conversation of two turns."""
    session = f"talked-{request.node.name.encode().hex()[-24:]}"
    for word in ("one", "two"):
        assert told("run", word, "--agent", "echo", "--session", session).exit_code == 0
    return session


def test_recent_conversations_are_listed_newest_first(told: Run, talked: str) -> None:
    """With their runs, and the newest one's state and time."""
    lines = told("sessions").stdout.splitlines()
    assert lines[0].split() == ["SESSION", "RUNS", "LAST", "STATE", "LAST", "ACTIVITY"]
    assert lines[1].split()[:3] == [talked, "2", "SUCCEEDED"]
    first = json.loads(told("sessions", "--json").stdout.splitlines()[0])
    newest = json.loads(told("runs", "--limit", "1", "--json").stdout)
    assert (first["session_id"], first["runs"], first["last_state"]) == (talked, 2, "SUCCEEDED")
    assert first["last_activity"] == newest["finish_time"]
    assert first["last_run_id"] == newest["run_id"]


def test_the_list_looks_at_so_many_runs_and_says_so(told: Run, talked: str) -> None:
    """There is no list of conversations to ask for."""
    listed = told("sessions", "--limit", "1")
    assert listed.stdout.splitlines()[1].split()[:2] == [talked, "1"]
    assert "from the newest 1 runs" in listed.stderr


def test_a_conversation_is_shown_as_it_was_spoken(told: Run, talked: str) -> None:
    """Oldest message first, with times; as JSON one message a line."""
    shown = told("sessions", talked).stdout
    said = ["one", "0 before. You said: one", "two", "2 before. You said: two"]
    assert [line.strip() for line in shown.splitlines() if line.startswith("  ")] == said
    assert f"session {talked}: 4 messages" in shown
    messages = [json.loads(line) for line in told("sessions", talked, "--json").stdout.splitlines()]
    assert [message["content"][0]["text"] for message in messages] == said
    assert messages[0]["role"] == "MESSAGE_ROLE_USER"


def test_a_script_deletes_with_yes(told: Run, talked: str) -> None:
    """And is told what came of it, also of one that was not there."""
    assert json.loads(told("sessions", talked, "--delete", "--yes", "--json").stdout) == {
        "session_id": talked,
        "deleted": True,
    }
    assert told("sessions", talked, "--delete", "--yes").stdout == f"there was no {talked}\n"
    assert "SESSION_NOT_FOUND" in told("sessions", talked).stderr


@pytest.mark.parametrize(("answer", "stays"), [("n", True), ("\n", True), ("y", False)])
def test_a_person_is_asked_before_a_conversation_is_deleted(
    on_terminal: OnTerminal, told: Run, talked: str, answer: str, stays: bool
) -> None:
    """No is the default."""
    shown = on_terminal("sessions", talked, "--delete")
    shown.expect("[y/N]")
    shown.type(f"{answer.strip()}\n")
    assert shown.finish() == (1 if stays else 0)
    assert (told("sessions", talked).exit_code == 0) == stays


def test_a_conversation_with_a_run_that_goes_on_is_not_deleted(told: Run) -> None:
    """The message says what to do."""
    run_id = told("run", "x", "--agent", "waits", "--session", "busy", "--detach").stdout.strip()
    refused = told("sessions", "busy", "--delete", "--yes")
    assert refused.exit_code == 3
    assert "SESSION_BUSY" in refused.stderr
    assert "cancel it, or wait" in refused.stderr
    assert "--on-busy" not in refused.stderr
    told("cancel", run_id)
