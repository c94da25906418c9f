"""Real meshes of real processes for tests: all layers in one, one process a layer, or two of each over Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from penstock.client import Client
from tests.stores.ports import free_ports
from tests.stores.server import ValkeyServer

ROOT: Final = Path(__file__).parents[2]
LAYERS: Final = ("state", "tools", "executor", "orchestrator", "gateway")
NEEDS: Final = {
    "state": (),
    "tools": (),
    "executor": ("state", "tools"),
    "orchestrator": ("state", "executor", "tools"),
    "gateway": ("state", "orchestrator", "executor", "tools"),
}
AGENTS: Final = (
    "echo",
    "paced",
    "endless",
    "flood",
    "fails",
    "exits",
    "pids",
    "tells",
    "remembers",
    "reads_results",
    "keeps",
    "unlucky",
    "asks_wrongly",
)
TOOLS: Final = ("add", "process_id", "breaks")
_START_SECONDS: Final = 90.0


@dataclass
class Daemon:
    """Represents one penstockd process."""

    name: str
    arguments: list[str]
    directory: Path
    listen: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        """The file that holds what the process printed."""
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Starts the process and returns when it serves; a second start takes the same address."""
        if not self.listen:
            # Not a port of the system's choice, which may be another's by the time of a second start.
            self.listen = "127.0.0.1:{}".format(*free_ports(1))
        ready = self.directory / f"{self.name}.ready"
        ready.unlink(missing_ok=True)
        own = {"PENSTOCK_LISTEN": self.listen, "PENSTOCK_READY_FILE": str(ready), **self.environment}
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")}
        with self.log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                str(Path(sys.executable).with_name("penstockd")),
                *self.arguments,
                "--app-dir",
                str(ROOT),
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=inherited | own,
            )
        async with asyncio.timeout(_START_SECONDS):
            while not ready.exists():
                if self.process.returncode is not None:
                    raise AssertionError(f"{self.name} ended at once:\n{self.log.read_text()}")
                await asyncio.sleep(0.02)  # another process's file sets no event of ours
        self.listen = json.loads(ready.read_text())["listen"]

    async def kill(self) -> None:
        """Kills the process as a crash does, and returns when it is gone."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """Asks the process to drain and returns its exit code; one that does not end is killed."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(60):
                    await self.process.wait()
            except TimeoutError:
                await self.kill()
        return await self.process.wait()


@dataclass
class Mesh:
    """Represents a running mesh: which processes host which layer, and how to reach its door.

    Two of each have a Valkey between them, whose log outlives it unless `aof` is "no".
    """

    topology: str
    directory: Path
    daemons: dict[str, Daemon] = field(default_factory=dict)
    store: ValkeyServer | None = None
    aof: Literal["no", "everysec", "always"] = "no"

    @property
    def address(self) -> str:
        """Where the gateway listens."""
        return self.host_of("gateway").listen

    def host_of(self, layer: str) -> Daemon:
        """Returns the process that hosts a layer; the first one where there are two."""
        return self.hosts_of(layer)[0]

    def hosts_of(self, layer: str) -> list[Daemon]:
        """Returns the processes that host a layer."""
        match self.topology:
            case "one process":
                return [self.daemons["all"]]
            case "process per layer":
                return [self.daemons[layer]]
            case _:
                return [self.daemons[f"{layer}-{number}"] for number in (1, 2)]

    def client(self) -> Client:
        """Makes a client of all doors."""
        return Client([door.listen for door in self.hosts_of("gateway")])

    async def start(self, **environment: str) -> None:
        """Starts all processes, each when those that it needs are ready; two of each all at once."""
        if self.topology == "one process":
            everything = [flag for layer in LAYERS for flag in self._own(layer)]
            self.daemons["all"] = Daemon("all", everything, self.directory, environment=environment)
            await self.daemons["all"].start()
            return
        if self.topology == "two of each":
            await self._start_two_of_each(environment)
            return
        for layer in LAYERS:
            self.daemons[layer] = Daemon(layer, self._arguments(layer), self.directory, environment=environment)
            await self.daemons[layer].start()

    async def stop(self) -> None:
        """Stops all processes, the doors first, and two of each layer at once."""
        for layer in reversed(LAYERS):
            stopping = {name: self.daemons[name] for name in list(self.daemons) if name.startswith((layer, "all"))}
            await asyncio.gather(*(daemon.stop() for daemon in stopping.values() if daemon.process is not None))
        if self.store is not None:
            await asyncio.to_thread(self.store.kill)

    async def _start_two_of_each(self, environment: dict[str, str]) -> None:
        self.store = ValkeyServer(self.directory / "valkey", aof=self.aof)
        await asyncio.to_thread(self.store.start)
        names = [f"{layer}-{number}" for layer in LAYERS for number in (1, 2)]
        for name, port in zip(names, free_ports(len(names)), strict=True):
            self.daemons[name] = Daemon(name, [], self.directory, f"127.0.0.1:{port}", environment)
        for name in names:
            self.daemons[name].arguments = self._arguments(name.rpartition("-")[0])
        await asyncio.gather(*(daemon.start() for daemon in self.daemons.values()))
        # Those that were there before the others have not looked again yet at what they need.
        async with asyncio.timeout(_START_SECONDS):
            for door in self.hosts_of("gateway"):
                async with Client(door.listen) as client:
                    while not all(layer.serving for layer in (await client.get_status()).layers):  # noqa: ASYNC110 - other processes set no event of ours
                        await asyncio.sleep(0.1)

    def _arguments(self, layer: str) -> list[str]:
        at = {need: ",".join(daemon.listen for daemon in self.hosts_of(need)) for need in NEEDS[layer]}
        connects = [flag for need in at for flag in ("--connect", f"{need}={at[need]}")]
        return ["--layers", layer, *connects, *self._own(layer)]

    def logs(self) -> str:
        """Returns what all processes printed."""
        return "\n".join(f"--- {name}\n{daemon.log.read_text()}" for name, daemon in self.daemons.items())

    def _own(self, layer: str) -> list[str]:
        module = "tests.topologies.agents"
        match layer:
            case "state":
                if self.store is not None:
                    return ["--state", self.store.url]
                return ["--state", f"sqlite:///{self.directory / 'penstock.db'}"]
            case "executor":
                return [flag for name in AGENTS for flag in ("--agent", f"{name}={module}:{name}")]
            case "tools":
                return [flag for name in TOOLS for flag in ("--tool", f"{module}:{name}")]
            case _:
                return []
