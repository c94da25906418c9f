"""The commands of a page, run as a reader would run them, in a directory that looks like the repository."""

import json
import os
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

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.docs.page import ROOT, Block
from tests.stores.binaries import valkey
from tests.stores.ports import free_ports

_ADDRESS: Final = re.compile(r"(127\.0\.0\.1:|--port )(5\d{4})")
_START_SECONDS: Final = 60.0
_RUN_SECONDS: Final = 120.0
_READY_SECONDS: Final = 5.0
_LAST_READY_SECONDS: Final = 30.0

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
        self._newest: str | None = None
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
                started = [
                    self._servers.enter_context(self._serving(shlex.split(command, comments=True)))
                    for command in text.replace("\\\n", " ").splitlines()
                ]
                for address in started:
                    _wait_ready(address, _READY_SECONDS)
                self._newest = started[-1]
            case ["serve", "at", address]:
                self._servers.enter_context(self._listening(shlex.split(text, comments=True), address))
            case ["run"]:
                self._said = self._run(block, text)
            case ["run", "with", program]:
                self._said = self._run(block, text) if shutil.which(program) else None
            case ["prints"] if self._said is not None:
                assert_said(block, self._said)

    def _here(self, text: str) -> str:
        return _ADDRESS.sub(lambda found: f"{found[1]}{self._port(found[2])}", text)

    @contextmanager
    def _serving(self, command: list[str]) -> Iterator[str]:
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
            facts = json.loads(ready.read_text())
            assert facts["pid"] == server.pid
            yield facts["listen"]
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
        if self._newest is not None:  # with it all is there that the page has served, as a rule
            _wait_ready(self._newest, _LAST_READY_SECONDS)
            self._newest = None
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
        path = f"{Path(sys.executable).parent}:{inherited['PATH']}:{valkey().parent}"
        return inherited | {"PATH": path, "PENSTOCK_ADDRESS": f"127.0.0.1:{self._port('50051')}"}

    def _port(self, written: str) -> int:
        if written not in self._ports:
            (self._ports[written],) = free_ports(1)
        return self._ports[written]


def _wait_ready(address: str, seconds: float) -> None:
    """Waits, not for long, until a process and all that it needs is ready, as a reader would who types by hand."""
    give_up = time.monotonic() + seconds
    with grpc.insecure_channel(address) as channel:
        while time.monotonic() < give_up:
            with suppress(grpc.RpcError):
                if HealthStub(channel).Check(HealthCheckRequest(), timeout=1).status == HealthCheckResponse.SERVING:
                    return
            time.sleep(0.02)  # no event of ours: another process finds its neighbours


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
