"""A conversation in the terminal."""

import json
import re

from tests.cli.conftest import OnTerminal, Run


def test_each_line_of_a_script_is_a_turn_of_one_new_conversation(told: Run) -> None:
    """Answers on stdout, the conversation's name on stderr; the mesh keeps the history."""
    held = told("chat", "--agent", "echo", stdin="one\n\ntwo words\n")
    assert held.exit_code == 0
    assert held.stdout == "0 before. You said: one\n2 before. You said: two words\n"
    session = re.findall(r"session (chat-[a-z]+-[a-z]+-\w{4})", held.stderr)[0]
    again = told("chat", "--agent", "echo", "--session", session, stdin="three\n")
    assert again.stdout == "4 before. You said: three\n"
    assert f"session {session}, 4 messages so far" in again.stderr


def test_json_is_one_event_a_line_of_every_turn(told: Run) -> None:
    """So that a program can hold a conversation."""
    held = told("chat", "--agent", "echo", "--json", stdin="one\ntwo\n")
    events = [json.loads(line) for line in held.stdout.splitlines()]
    assert [event["run_finished"]["state"] for event in events if "run_finished" in event] == [
        "RUN_STATE_SUCCEEDED"
    ] * 2


def test_words_with_a_slash_are_for_the_chat_itself(told: Run) -> None:
    """Two slashes say one; what isn't known is not said to the agent; /exit ends the input."""
    held = told("chat", "--agent", "echo", stdin="one\n/history\n/frob\n/help\n//etc\n/new\nfresh\n/exit\nunsaid\n")
    assert held.stdout.splitlines() == [
        "0 before. You said: one",
        "2 before. You said: /etc",
        "0 before. You said: fresh",
    ]
    history = held.stderr[held.stderr.index("user  ") :]
    assert history.index("  one\n") < history.index("assistant  ") < history.index("  0 before. You said: one")
    assert "there is no /frob" in held.stderr
    assert "/history  what was said" in held.stderr
    assert len(set(re.findall(r"session (chat-\S+)", held.stderr))) == 2


def test_a_script_is_told_of_a_failed_answer_and_stopped_by_a_failed_call(told: Run) -> None:
    """With the exit codes of `run`; a later answer is still given."""
    failed = told("chat", "--agent", "echo", "--timeout", "30s", stdin="one\n")
    assert failed.exit_code == 0
    unlucky = told("chat", "--agent", "unlucky", stdin="one\ntwo\n")
    assert unlucky.exit_code == 1
    assert unlucky.stdout.count("WRONG 3") == 2
    refused = told("chat", "--agent", "echo", "--session", "no session", stdin="one\n")
    assert (refused.exit_code, refused.stdout) == (3, "")


def test_an_agent_that_is_not_there_is_told_before_the_first_word(told: Run) -> None:
    """As `run` tells it, with the one that was meant."""
    result = told("chat", "--agent", "ecko", stdin="one\n")
    run = told("run", "one", "--agent", "ecko")
    assert result.exit_code == run.exit_code == 3
    assert result.stderr.splitlines()[:2] == run.stderr.splitlines()[:2]
    assert "there is no agent 'ecko'; did you mean 'echo'?" in result.stderr
    assert "`penstock agents" in result.stderr
    assert "talking with" not in result.stderr
    assert "waits" in told("chat", stdin="one\n").stderr


def test_ctrl_c_stops_an_answer_and_not_the_chat(on_terminal: OnTerminal, told: Run) -> None:
    """The run is cancelled; the next turn comes, and Ctrl-D leaves and says how to go on."""
    chat = on_terminal("chat", "--agent", "waits", "--session", "stop-and-go")
    chat.expect("> ")
    chat.type("hello\n")
    chat.expect("heard hello")
    chat.type("\x03")
    chat.expect("CANCELLED")
    chat.expect("> ", 2)
    chat.type("go on\n")
    chat.expect("heard go on")
    chat.expect("> ", 3)
    chat.type("\x04")
    assert chat.finish() == 0
    assert "go on with penstock chat --agent waits --session stop-and-go" in " ".join(chat.screen.text.split())
    runs = told("runs", "--session", "stop-and-go", "--json").stdout.splitlines()
    assert [json.loads(run)["state"] for run in runs] == ["RUN_STATE_SUCCEEDED", "RUN_STATE_CANCELLED"]


def test_ctrl_d_right_after_ctrl_c_leaves_and_says_how_to_go_on(on_terminal: OnTerminal) -> None:
    """However close together the two keys come."""
    chat = on_terminal("chat", "--agent", "echo", "--session", "in-haste")
    chat.expect("> ")
    chat.type("abc\x03\x04")
    assert chat.finish() == 0
    assert "go on with penstock chat --agent echo --session in-haste" in " ".join(chat.screen.text.split())


def test_ctrl_c_at_the_prompt_drops_the_line_and_arrow_up_brings_back_what_was_said(on_terminal: OnTerminal) -> None:
    """Also what was said in the conversation before this chat."""
    chat = on_terminal("chat", "--agent", "echo", "--session", "by-keys")
    chat.expect("> ")
    chat.type("half a li")
    chat.expect("half a li")
    chat.type("\x03")
    chat.expect("> ", 2)
    chat.type("whole\n")
    chat.expect("0 before. You said: whole")
    chat.expect("> ", 3)
    chat.type("/exit\n")
    assert chat.finish() == 0
    again = on_terminal("chat", "--agent", "echo", "--session", "by-keys")
    again.expect("> ")
    again.type("\x1b[A\n")
    again.expect("2 before. You said: whole")
    again.expect("> ", 2)
    again.type("\x04")
    assert again.finish() == 0


def test_what_is_typed_while_an_answer_comes_is_the_next_turn(on_terminal: OnTerminal) -> None:
    """It shows at the prompt, and not in the midst of the answer."""
    chat = on_terminal("chat", "--agent", "echo")
    chat.expect("> ")
    chat.type("one\ntwo\n/exit\n")
    assert chat.finish() == 0
    assert chat.screen.text.index("You said: one") < chat.screen.text.index("You said: two")
