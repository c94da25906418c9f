"""Runs a task with the installed package, far from its checkout: serve, call, stop."""

import asyncio
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from json import loads
from pathlib import Path

import penstock.client
from penstock.client import Client, RunState

BIN = Path(sys.executable).parent


async def call(address: str) -> None:
    """Runs the example agent, and reads its stream."""
    async with Client(address) as client:
        run = await client.execute_run("Water falls. Water turns a wheel. The wheel grinds corn.", agent="summarise")
        assert run.state == RunState.RUN_STATE_SUCCEEDED, run
        events = [event async for event in client.attach_run(run.run_id)]
        assert events[-1].HasField("run_finished")


def main() -> None:
    """Starts penstockd from the environment's own scripts and calls it."""
    assert "site-packages" in str(penstock.client.__file__), penstock.client.__file__
    subprocess.run([BIN / "penstock", "--help"], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as home:
        ready = Path(home) / "ready"
        server = subprocess.Popen(
            [
                BIN / "penstockd",
                "--config=examples/penstock.toml",
                "--listen=127.0.0.1:0",
                f"--state=sqlite:///{home}/penstock.db",
                f"--ready-file={ready}",
                "--log-level=warning",
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            give_up = time.monotonic() + 30
            while not ready.exists():
                assert server.poll() is None, "penstockd ended at once"
                assert time.monotonic() < give_up, "penstockd did not start in time"
                time.sleep(0.05)
            asyncio.run(call(loads(ready.read_text())["listen"]))
        finally:
            server.terminate()
            code = server.wait(timeout=30)
        assert code == 0, code
    names = ("penstock", "grpcio", "protobuf")
    print(f"the wheel works ({sys.argv[1]}): " + ", ".join(f"{name} {version(name)}" for name in names))


if __name__ == "__main__":
    main()
