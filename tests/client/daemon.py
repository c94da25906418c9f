"""A real mesh in a process of its own, for tests to call."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread, Timer
from typing import TextIO

SAMPLES = Path(__file__).parent / "samples"
AGENTS = ("count", "stuck", "broken", "rich", "structured")
SECONDS_TO_START = 90.0


@contextmanager
def running_daemon(
    home: Path,
    agents: tuple[str, ...] = AGENTS,
    *,
    app_dir: Path = SAMPLES,
    module: str = "agents",
    tool: str = "tools:measure",
) -> Iterator[str]:
    """Runs all five layers for a block, with the sample agents and tool or others; gives the door's address."""
    command = [
        str(Path(sys.executable).parent / "penstockd"),
        *("--listen", "127.0.0.1:0", "--state", f"sqlite:///{home}/penstock.db", "--app-dir", str(app_dir)),
        *(word for name in agents for word in ("--agent", f"{name}={module}:{name}")),
        *("--tool", tool),
    ]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as daemon:
        assert daemon.stdout is not None
        too_slow = Timer(SECONDS_TO_START, daemon.kill)
        too_slow.start()
        # What it says after its banner is read on, for a full pipe would stop it.
        reading = Thread(target=daemon.stdout.read)
        try:
            address = _announced(daemon.stdout)
            too_slow.cancel()
            reading.start()
            yield address
        finally:
            too_slow.cancel()
            daemon.kill()
            if reading.is_alive():
                reading.join()


def _announced(banner: TextIO) -> str:
    """Reads the banner to its `ready`, and returns where the door is."""
    said = []
    address = ""
    for line in banner:
        said.append(line)
        match line.split():
            case ["serving", where, *_]:
                address = where
            case ["ready", "yes", *_]:
                return address
    raise AssertionError("penstockd did not come up:\n" + "".join(said))
