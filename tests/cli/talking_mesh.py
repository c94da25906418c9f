"""A real mesh with agents that talk, for tests of what is seen of them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"
AGENTS = ("echo", "waits", "unlucky", "writes", "calls")
TOOLS = ("weigh", "ponder")
SECONDS_TO_START = 90.0


@contextmanager
def talking_mesh(home: Path) -> Iterator[str]:
    """Runs all five layers for a block; gives the door's address."""
    ready = home / "ready"
    command = [
        str(Path(sys.executable).parent / "penstockd"),
        *("--listen", "127.0.0.1:0", "--state", f"sqlite:///{home}/penstock.db", "--app-dir", str(SAMPLES)),
        *("--ready-file", str(ready)),
        *(word for name in AGENTS for word in ("--agent", f"{name}=talkers:{name}")),
        *(word for name in TOOLS for word in ("--tool", f"talkers:{name}")),
    ]
    with (home / "log").open("wb") as log, subprocess.Popen(command, cwd=home, stdout=log, stderr=log) as daemon:
        try:
            until = time.monotonic() + SECONDS_TO_START
            while not ready.exists():
                if daemon.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"penstockd did not come up:\n{(home / 'log').read_text()}")
                time.sleep(0.02)  # another process's file sets no event of ours
            yield json.loads(ready.read_text())["listen"]
        finally:
            daemon.kill()
