"""Runs a task with the installed package, far from its checkout: serve, call, stop; and without any extra."""

import asyncio
import os
import resource
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

# What only calls and servers need.
HEAVY = ("grpc", "google.protobuf", "pydantic", "opentelemetry", "uvloop", "yaml")
SHOW_HELP = f"""
import sys
from penstock.cli.main import main
sys.argv = ["penstock", "--help"]
try:
    main()
finally:
    loaded = [name for name in {HEAVY} if name in sys.modules]
    assert not loaded, f"penstock --help imports {{loaded}}"
"""

# How each extra is asked for, as arguments and environment; and a package of it that the answer must name.
WITHOUT_EXTRAS: tuple[tuple[list[str], dict[str, str], str], ...] = (
    (["--model=any", "--model-url=http://127.0.0.1:9/v1"], {}, "pydantic-ai-slim[openai]"),
    (["--metrics-listen=127.0.0.1:0"], {}, "opentelemetry-sdk"),
    ([], {"OTEL_TRACES_EXPORTER": "otlp"}, "opentelemetry-sdk"),
)


def help_is_light() -> float:
    """Checks that help waits for nothing that it does not need; returns the seconds of CPU that it took."""
    subprocess.run([sys.executable, "-c", SHOW_HELP], check=True, stdout=subprocess.DEVNULL)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([BIN / "penstock", "--help"], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def missing_extras_are_named() -> None:
    """Checks that whoever asks for what is not installed is told how to install it, and that nothing is started."""
    for arguments, environment, package in WITHOUT_EXTRAS:
        with tempfile.TemporaryDirectory() as home:
            refused = subprocess.run(
                [BIN / "penstockd", f"--state=sqlite:///{home}/penstock.db", "--listen=127.0.0.1:0", *arguments],
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                timeout=30,
            )
        assert refused.returncode == 2, (arguments, refused)
        assert "pip install" in refused.stderr, (arguments, refused.stderr)
        assert package in refused.stderr, (arguments, refused.stderr)


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
    help_seconds = help_is_light()
    missing_extras_are_named()
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
    print(f"penstock --help takes {help_seconds:.2f} s of CPU")


if __name__ == "__main__":
    main()
