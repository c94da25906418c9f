"""What a command does with streams and arguments that are not as they should be."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import PENSTOCK

FULL = Path("/dev/full")
NO_TEXT = b"\xff\xfe"


def ended(command: str, address: str, locale: str = "C.UTF-8") -> "subprocess.CompletedProcess[str]":
    """Runs a command line of the shell, in which `penstock` is ours."""
    environment = {**os.environ, "PENSTOCK_ADDRESS": address, "LC_ALL": locale}
    shell = ["sh", "-c", command.replace("penstock", PENSTOCK)]
    return subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("locale", ["C.UTF-8", "POSIX"])
def test_an_argument_that_is_no_text_is_refused(talking: str, locale: str) -> None:
    """Wherever it stands, and before any mesh is called."""
    environment = {**os.environ, "PENSTOCK_ADDRESS": talking, "LC_ALL": locale}
    for arguments in ([b"run", NO_TEXT], [b"get", NO_TEXT], [b"run", b"x", b"--label", b"a=" + NO_TEXT]):
        command = [PENSTOCK.encode(), *arguments]
        result = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False)
        assert (result.returncode, result.stdout) == (2, b"")
        assert f"error: argument {len(arguments)} is not text".encode() in result.stderr
        assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("locale", ["C.UTF-8", "POSIX"])
def test_a_line_that_is_no_text_ends_a_scripted_chat(talking: str, locale: str) -> None:
    """As wrong usage; what came before it was answered."""
    result = ended(r"printf 'one\n\377\376\nthree\n' | penstock chat --agent echo", talking, locale)
    assert (result.returncode, result.stdout) == (2, "0 before. You said: one\n")
    assert "a line of it is not UTF-8" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("command", "stdout"),
    [
        ("penstock run hi --agent echo <&-", "0 before. You said: hi\n"),
        ("penstock run hi --agent echo 2>&-", "0 before. You said: hi\n"),
        ("penstock run hi --agent echo >&-", ""),
        ("penstock chat --agent echo <&-", ""),
        ("penstock agents >&- 2>&- <&-", ""),
    ],
)
def test_a_stream_that_is_closed_is_not_missed(talking: str, command: str, stdout: str) -> None:
    """Some supervisors start programs so."""
    result = ended(command, talking)
    assert (result.returncode, result.stdout) == (0, stdout)
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_and_how_to_read_the_run_again(talking: str) -> None:
    """The run goes on, and nothing of it counts as read."""
    run = ended("penstock run hi --agent echo > /dev/full", talking)
    assert run.returncode == 1
    assert "error: the output can't be written: No space left on device" in run.stderr
    attach = next(line for line in run.stderr.splitlines() if "penstock attach run-" in line)
    assert "--after" not in attach
    assert ended(attach, talking).stdout == "0 before. You said: hi\n"
    assert "can't be written" in ended("penstock agents > /dev/full", talking).stderr
