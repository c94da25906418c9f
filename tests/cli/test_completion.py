"""What the Tab key offers."""

import os
import subprocess
import time

import pytest

from tests.cli.conftest import PENSTOCK, Run


def offered(words: str, address: str) -> list[str]:
    """What bash is told to offer after these words."""
    environment = {
        **os.environ,
        "_PENSTOCK_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "PENSTOCK_ADDRESS": address,
    }
    done = subprocess.run([PENSTOCK], env=environment, capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_agents_runs_and_conversations_are_asked_of_the_mesh(told: Run, talking: str) -> None:
    """Those that begin with what was typed."""
    run_id = told("run", "x", "--agent", "echo", "--session", "to-complete", "--detach").stdout.strip()
    assert offered("penstock run --agent ", talking) == ["calls", "echo", "unlucky", "waits", "writes"]
    assert offered("penstock chat --agent w", talking) == ["waits", "writes"]
    for command in ("attach", "get", "cancel", "way", "trace"):
        assert offered(f"penstock {command} {run_id[:12]}", talking) == [run_id]
    assert offered("penstock sessions to-", talking) == ["to-complete"]
    assert offered("penstock run x --session to-", talking) == ["to-complete"]


def test_the_address_that_was_typed_is_the_one_asked(talking: str) -> None:
    """Before the environment's."""
    assert offered(f"penstock run --address {talking} --agent e", "127.0.0.1:1") == ["echo"]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "192.0.2.1:50051", "a:1,b:2"])
def test_where_no_mesh_answers_nothing_is_offered_and_nobody_waits(address: str) -> None:
    """No error on the screen, and no prompt that hangs."""
    began = time.monotonic()
    assert offered("penstock run --agent ", address) == []
    assert time.monotonic() - began < 15


def test_commands_are_offered_without_a_mesh() -> None:
    """They are known."""
    assert "trace" in offered("penstock tr", "127.0.0.1:1")
