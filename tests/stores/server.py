"""One Valkey or Redis server for tests: started, killed, stalled and started again."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from tests.stores.binaries import valkey
from tests.stores.ports import free_ports

START_SECONDS = 60.0
_LOOK_SECONDS = 0.01


class ValkeyServer:
    """Represents one server process with a directory and a port of its own.

    Its methods block; where an event loop is to go on meanwhile, call them by `asyncio.to_thread`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        binary: Path | None = None,
        aof: Literal["no", "everysec", "always"] = "no",
        password: str = "",
        options: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.password = password
        (self.port,) = free_ports(1)
        self._binary = binary or valkey()
        self._options = ["--appendonly", "no"] if aof == "no" else ["--appendonly", "yes", "--appendfsync", aof]
        if password:
            self._options += [
                "--requirepass",
                password,
                "--primaryauth" if binary is None else "--masterauth",
                password,
            ]
        self._options += options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address as the state layer takes it, with the password."""
        return self.url_through(self.address)

    def url_through(self, address: str) -> str:
        """The address as the state layer takes it, by way of something else that listens, such as a proxy."""
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{login}{address}/0"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """The file that holds what the process printed."""
        return self.directory / "log"

    def start(self) -> None:
        """Starts the process and returns when it answers, its data loaded; the port stays the same over restarts."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Starts the process."""
        assert self._process is None
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(self._binary, "--port", f"{self.port}", "--bind", "127.0.0.1", "--dir", self.directory),
                    *("--save", "", "--repl-diskless-sync-delay", "0", "--enable-debug-command", "local"),
                    *self._options,
                ],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )

    def wait_ready(self) -> None:
        """Returns when the process answers."""
        self.wait_until(lambda: bool(self.command("PING")), "answer")

    def wait_until(self, holds: Callable[[], bool], what: str, within: float = START_SECONDS) -> None:
        """Asks until something holds, and fails with the server's log when it doesn't in time."""
        end = time.monotonic() + within
        while True:
            try:
                if holds():
                    return
                failure = ""
            except RedisError as error:
                failure = f"{error}"
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > end:
                raise AssertionError(f"{self.address} did not {what}: {failure}\n{self.log.read_text()}")
            time.sleep(_LOOK_SECONDS)  # another process sends no event of ours

    def command(self, *words: str | int | bytes) -> Any:
        """Runs a command on a connection of its own and returns the reply, with bytes as they are."""
        with Redis(
            port=self.port, password=self.password or None, socket_timeout=10, decode_responses=False, protocol=2
        ) as client:
            return client.execute_command(*words)

    def info(self, section: str) -> dict[str, str]:
        """The lines of one section of INFO."""
        told = self.command("INFO", section)
        return {key: f"{value}" for key, value in told.items()}

    def all_keys(self, pattern: str = "*") -> list[bytes]:
        """All keys."""
        return sorted(self.command("KEYS", pattern))

    def cut_connections(self) -> None:
        """Closes the connections of all clients; what they sent before may have been done, and be unanswered."""
        self.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        self.command("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")

    def kill(self) -> None:
        """Kills the process as a crash does, and returns when it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Kills the process and starts it again on what it had written."""
        self.kill()
        self.start()

    def stall(self) -> None:
        """Stops the process without ending it: it answers nothing until `resume`, and its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a stalled process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def serving(*servers: ValkeyServer) -> Iterator[None]:
    """Starts servers, all at once, for a block; at its end none of them lives."""
    try:
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_ready()
        yield
    finally:
        for server in servers:
            server.kill()
