"""Fixtures of the command line's tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import pytest
from typer.testing import CliRunner, Result

from penstock.cli.main import app
from tests.cli.talking_mesh import talking_mesh
from tests.cli.terminal_process import TerminalProcess
from tests.client.daemon import running_daemon

# A command that says nothing would otherwise be read for ever.
SECONDS_TO_LIVE = 60.0
PENSTOCK = str(Path(sys.executable).parent / "penstock")

Run = Callable[..., Result]
OnTerminal = Callable[..., TerminalProcess]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real mesh's door is."""
    with running_daemon(tmp_path_factory.mktemp("mesh")) as where:
        yield where


@pytest.fixture
def penstock(address: str) -> Run:
    """Runs a command against the mesh, and returns what it printed and how it ended."""

    def run(*arguments: str, stdin: str | bytes | None = None, **environment: str) -> Result:
        return CliRunner().invoke(
            app, arguments, input=stdin, env={"PENSTOCK_ADDRESS": address, "COLUMNS": "", **environment}
        )

    return run


@pytest.fixture
def started(address: str) -> Iterator[Start]:
    """Starts a command in a process of its own, which ends with the test."""
    begun: list[subprocess.Popen[str]] = []
    watches: list[Timer] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [PENSTOCK, *arguments, "--address", address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # As people have it: where Python buffers nothing, a missing flush goes unseen.
            env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
        )
        begun.append(process)
        watches.append(Timer(SECONDS_TO_LIVE, process.kill))
        watches[-1].start()
        return process

    yield start
    for process, watch in zip(begun, watches, strict=True):
        watch.cancel()
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a mesh's door is whose agents talk, wait, and fail once."""
    with talking_mesh(tmp_path_factory.mktemp("talking")) as where:
        yield where


@pytest.fixture
def told(talking: str) -> Run:
    """Runs a command against the talking mesh, and returns what it printed and how it ended."""

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(
            app, arguments, input=stdin, env={"PENSTOCK_ADDRESS": talking, "COLUMNS": "", **environment}
        )

    return run


@pytest.fixture
def on_terminal(talking: str) -> Iterator[OnTerminal]:
    """Starts a command on a terminal of its own, against the talking mesh."""
    with ExitStack() as stack:

        def start(*arguments: str, columns: int = 80, rows: int = 24, **environment: str) -> TerminalProcess:
            environment = {"PENSTOCK_ADDRESS": talking, **environment}
            return stack.enter_context(TerminalProcess([PENSTOCK, *arguments], columns, rows, **environment))

        yield start
