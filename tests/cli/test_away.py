"""A mesh of which a part is away: commands say so soon, and what to do."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from typer.testing import CliRunner

from penstock.cli.main import app
from tests.cli.conftest import OnTerminal

SECONDS_TO_START = 30.0
INNER = ("orchestrator", "executor", "tools", "state")


@pytest.fixture(scope="module")
def lonely() -> Iterator[str]:
    """Where a gateway's door is behind which nobody answers."""
    command = [
        str(Path(sys.executable).parent / "penstockd"),
        *("--layers", "gateway", "--listen", "127.0.0.1:0"),
        *(word for layer in INNER for word in ("--connect", f"{layer}=127.0.0.1:1")),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as gateway:
        too_slow = Timer(SECONDS_TO_START, gateway.kill)
        too_slow.start()
        try:
            assert gateway.stdout is not None
            yield next(line.split()[1] for line in gateway.stdout if line.split()[:1] == ["serving"])
        finally:
            too_slow.cancel()
            gateway.kill()


def test_on_a_terminal_it_is_told_once_who_is_away_while_the_command_asks_again(
    on_terminal: OnTerminal, lonely: str
) -> None:
    """Before it gives up, which it does within its short patience and with no word of asking once more in a second."""
    shown = on_terminal("runs", "--address", lonely, columns=120)
    assert shown.finish() == 3
    told = f"{', '.join(INNER)} are away; asking again …"
    assert shown.screen.text.count("asking again") == 1
    assert shown.screen.text.index(told) < shown.screen.text.index("error: ")
    assert "LAYER_AWAY" in shown.screen.text
    assert "tells which layer is away" in shown.screen.text
    assert "again in" not in shown.screen.text


def test_a_script_is_told_the_error_alone_and_soon(lonely: str) -> None:
    """Nobody watches it wait; what says no in milliseconds is not asked for as long as a run is followed."""
    began = time.monotonic()
    result = CliRunner().invoke(app, ["agents", "--address", lonely])
    assert time.monotonic() - began < 15
    assert result.exit_code == 3
    assert result.stderr.startswith("error: ")
    assert "asking again" not in result.stderr
