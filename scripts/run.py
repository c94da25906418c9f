"""Runs one real task through all five layers and shows the way it went: `make run`.

Starts penstockd on a free port with a store of its own, sends the task through the public gRPC port, streams the
answer, prints the run's way, and stops the server again. TASK or FILE in the environment say what to summarise.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from json import loads
from pathlib import Path

from penstock.wire.ids import run_id_for

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
DEFAULT_FILE = Path("examples/texts/penstock.txt")
START_SECONDS = 30.0


def main() -> int:
    """Returns the exit code of the run: 0 when it succeeded."""
    os.chdir(ROOT)
    task, file = os.environ.get("TASK"), os.environ.get("FILE")
    if task is not None and file is not None:
        sys.exit("give TASK or FILE, not both: TASK is the text itself, FILE the path of one")
    if file is not None and not Path(file).is_file():
        sys.exit(f"FILE={file}: there is no such file")
    with tempfile.TemporaryDirectory(prefix="penstock-") as directory:
        home = Path(directory)
        server = start(home)
        try:
            address = wait_until_ready(server, home)
            return run(address, [f"--file={file or DEFAULT_FILE}"] if task is None else [task])
        except KeyboardInterrupt:
            return 130
        finally:
            stop(server)


def start(home: Path) -> "subprocess.Popen[bytes]":
    """Starts all five layers in one process on a free port, with the store in a directory that goes away."""
    print("starting gateway, orchestrator, executor, tools and state in one process …", flush=True)
    with (home / "penstockd.log").open("wb") as log:
        return subprocess.Popen(
            [
                str(BIN / "penstockd"),
                "--config=examples/penstock.toml",
                "--listen=127.0.0.1:0",
                f"--state=sqlite:///{home / 'penstock.db'}",
                f"--ready-file={home / 'ready'}",
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the client; the server is stopped below
        )


def wait_until_ready(server: "subprocess.Popen[bytes]", home: Path) -> str:
    """Returns the address at which the gateway serves."""
    give_up = time.monotonic() + START_SECONDS
    while not (home / "ready").exists():
        if server.poll() is not None or time.monotonic() > give_up:
            sys.exit(f"the server did not start:\n{(home / 'penstockd.log').read_text()}")
        time.sleep(0.02)
    return str(loads((home / "ready").read_text())["listen"])


def run(address: str, what: list[str]) -> int:
    """Sends the task as a user would, with the penstock command, and shows the way it went."""
    key = f"make-run-{os.getpid()}"
    code = penstock("run", *what, "--agent=summarise", f"--key={key}", f"--address={address}")
    if code in (0, 1):  # the run has ended, well or not; anything else never became one
        penstock("way", run_id_for("default", key), f"--address={address}")
    return code


def penstock(*arguments: str) -> int:
    """Runs the penstock command before the user's eyes."""
    print(f"\n$ penstock {shlex.join(arguments)}", flush=True)
    return subprocess.run([str(BIN / "penstock"), *arguments], check=False).returncode


def stop(server: "subprocess.Popen[bytes]") -> None:
    """Asks the server to drain, and ends it if it does not."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(timeout=25)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
