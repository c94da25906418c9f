"""The programs in `typing/`, which `make types` checks as a user's are checked, also do what they say."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.daemon import running_daemon

pytestmark = pytest.mark.xdist_group("typed-programs")

PROGRAMS = Path(__file__).parents[2] / "typing"

SAID = {
    "stream": "Your task has 3 words.\nYour task has 3 words.\n",
    "execute": "Your task has 3 words.\nYour task has 2 words.\n",
    "sessions": "good morning\nYour task has 2 words.\nand good night\nYour task has 3 words.\n",
    "failures": "no such thing; did you mean hello?\nnothing\nnot yet; wait on with key-*\n"
    "127.0.0.1:1 is away; again in 1.0 s\n",
    "script": "Your task has 3 words.\n",
    "topics": "order 1, delivery 1\norder*it costs 7\n",
}


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the agent and the tool of `typing/` are served."""
    home = tmp_path_factory.mktemp("typing")
    with running_daemon(home, ("hello", "waits"), app_dir=PROGRAMS, module="agent", tool="agent:count_words") as where:
        yield where


@pytest.mark.parametrize("name", SAID)
def test_a_program_whose_types_are_right_also_runs(hello: str, name: str) -> None:
    """And prints what it should."""
    command = [sys.executable, "-P", str(PROGRAMS / f"{name}.py"), hello]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    begin, _, finish = SAID[name].partition("*")
    assert ran.stdout.startswith(begin)
    assert ran.stdout.endswith(finish)


def test_every_program_is_run() -> None:
    """The agent's module is what the others call."""
    assert {path.stem for path in PROGRAMS.glob("*.py")} == {*SAID, "agent"}
