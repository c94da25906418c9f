"""The commands of a page, run as a reader would run them, in a directory that looks like the repository."""

import json
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.docs.page import ROOT, Block

_ADDRESS: Final = re.compile(r"127\.0\.0\.1:(5\d{4})")
_START_SECONDS: Final = 30.0
_RUN_SECONDS: Final = 30.0
# Below those that systems give to outgoing connections, one of which would else take a port before its server does.
_PORTS: Final = range(20_000, 32_000)

# Where there is no grpcurl, its calls go through buf curl, which speaks the same protocol.
_GRPCURL: Final = """
grpcurl() {
  local options=() address rest
  shift # -plaintext
  while [[ $1 == -* ]]; do options+=("$1" "$2"); shift 2; done
  address=$1 rest=$2
  if [[ $rest == list ]]; then set -- --list-services "http://$address"; else set -- "http://$address/$rest"; fi
  buf curl --protocol grpc --http2-prior-knowledge "${options[@]}" "$@"
}
"""


class Reader:
    """Follows a page in a directory of its own, on ports of its own."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self._home = home
        self._servers = stack.enter_context(ExitStack())
        self._ports: dict[str, int] = {}
        self._served = 0
        self._said: str | None = ""
        (home / "examples").symlink_to(ROOT / "examples")

    def follow(self, block: Block) -> None:
        """Does what a block's mark says; raises AssertionError where it does not come out as the page says."""
        text, mark = self._here(block.text), self._here(block.mark)
        match mark.split():
            case ["file:", name]:
                (self._home / name).write_text(text)
            case ["serve", *anew] if anew in ([], ["anew"]):
                if anew:
                    self._servers.close()
                for command in text.replace("\\\n", " ").splitlines():
                    self._servers.enter_context(self._serving(shlex.split(command, comments=True)))
            case ["serve", "at", address]:
                self._servers.enter_context(self._listening(shlex.split(text, comments=True), address))
            case ["run"]:
                self._said = self._run(block, text)
            case ["run", "with", program]:
                self._said = self._run(block, text) if shutil.which(program) else None
            case ["prints"] if self._said is not None:
                assert_said(block, self._said)

    def _here(self, text: str) -> str:
        return _ADDRESS.sub(lambda found: f"127.0.0.1:{self._port(found[1])}", text)

    @contextmanager
    def _serving(self, command: list[str]) -> Iterator[None]:
        self._served += 1
        own = command[command.index("--ready-file") + 1] if "--ready-file" in command else f"ready-{self._served}"
        ready, log = self._home / own, self._home / f"log-{self._served}"
        environment = self._environment() | {
            "PENSTOCK_READY_FILE": str(ready),
            "PENSTOCK_LISTEN": f"127.0.0.1:{self._port('50051')}",
        }
        with log.open("wb") as output:
            server = subprocess.Popen(command, cwd=self._home, env=environment, stdout=output, stderr=output)
        try:
            give_up = time.monotonic() + _START_SECONDS
            while not ready.exists():
                assert server.poll() is None, f"{command} ended:\n{log.read_text()}"
                assert time.monotonic() < give_up, f"{command} did not start:\n{log.read_text()}"
                time.sleep(0.02)  # another process's file sets no event of ours
            assert json.loads(ready.read_text())["pid"] == server.pid
            yield
        finally:
            server.send_signal(signal.SIGKILL)
            server.wait()

    @contextmanager
    def _listening(self, command: list[str], address: str) -> Iterator[None]:
        """Runs a server that is not ours, from when it takes connections."""
        self._served += 1
        log = self._home / f"log-{self._served}"
        with log.open("wb") as output:
            server = subprocess.Popen(command, cwd=self._home, env=self._environment(), stdout=output, stderr=output)
        try:
            give_up = time.monotonic() + _START_SECONDS
            while not _takes_connections(address):
                assert server.poll() is None, f"{command} ended:\n{log.read_text()}"
                assert time.monotonic() < give_up, f"{command} did not start:\n{log.read_text()}"
                time.sleep(0.02)  # another process's port sets no event of ours
            yield
        finally:
            server.kill()
            server.wait()

    def _run(self, block: Block, text: str) -> str:
        program = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
        if block.language == "bash" and shutil.which("grpcurl") is None:
            text = _GRPCURL + text
        done = subprocess.run(
            [*program, text],
            cwd=self._home,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{block.place} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
        path = f"{Path(sys.executable).parent}:{inherited['PATH']}"
        return inherited | {"PATH": path, "PENSTOCK_ADDRESS": f"127.0.0.1:{self._port('50051')}"}

    def _port(self, written: str) -> int:
        while written not in self._ports:
            port = random.choice([port for port in _PORTS if port not in self._ports.values()])
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", port))
                self._ports[written] = port
        return self._ports[written]


def _takes_connections(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def assert_said(block: Block, said: str) -> None:
    """Checks that all lines of a block were printed, in order; `…` stands for anything."""
    rest = said
    for line in filter(str.strip, block.text.splitlines()):
        pattern = ".*".join(re.escape(part) for part in line.strip().split("…"))
        found = re.search(pattern, rest)
        assert found, f"{block.place}: {line!r} was not printed here:\n{rest}"
        rest = rest[found.end() :]
