"""Real meshes of real processes for tests: all layers in one, or one process a layer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from penstock.client import Client

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
_START_SECONDS: Final = 30.0


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
        ready = self.directory / f"{self.name}.ready"
        ready.unlink(missing_ok=True)
        own = {"PENSTOCK_LISTEN": self.listen or "127.0.0.1:0", "PENSTOCK_READY_FILE": str(ready), **self.environment}
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
                async with asyncio.timeout(20):
                    await self.process.wait()
            except TimeoutError:
                await self.kill()
        return await self.process.wait()


@dataclass
class Mesh:
    """Represents a running mesh: which process hosts which layer, and how to reach its door."""

    topology: str
    directory: Path
    daemons: dict[str, Daemon] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the gateway listens."""
        return self.host_of("gateway").listen

    def host_of(self, layer: str) -> Daemon:
        """Returns the process that hosts a layer."""
        return self.daemons["all" if self.topology == "one process" else layer]

    def client(self) -> Client:
        """Makes a client of the door."""
        return Client(self.address)

    async def start(self, **environment: str) -> None:
        """Starts all processes, each when those that it needs are ready."""
        if self.topology == "one process":
            everything = [flag for layer in LAYERS for flag in self._own(layer)]
            self.daemons["all"] = Daemon("all", everything, self.directory, environment=environment)
            await self.daemons["all"].start()
            return
        for layer in LAYERS:
            connects = [flag for need in NEEDS[layer] for flag in ("--connect", f"{need}={self.daemons[need].listen}")]
            arguments = ["--layers", layer, *connects, *self._own(layer)]
            self.daemons[layer] = Daemon(layer, arguments, self.directory, environment=environment)
            await self.daemons[layer].start()

    async def stop(self) -> None:
        """Stops all processes, the door first."""
        for daemon in reversed(list(self.daemons.values())):
            if daemon.process is not None:
                await daemon.stop()

    def logs(self) -> str:
        """Returns what all processes printed."""
        return "\n".join(f"--- {name}\n{daemon.log.read_text()}" for name, daemon in self.daemons.items())

    def _own(self, layer: str) -> list[str]:
        module = "tests.topologies.agents"
        match layer:
            case "state":
                return ["--state", f"sqlite:///{self.directory / 'penstock.db'}"]
            case "executor":
                return [flag for name in AGENTS for flag in ("--agent", f"{name}={module}:{name}")]
            case "tools":
                return [flag for name in TOOLS for flag in ("--tool", f"{module}:{name}")]
            case _:
                return []
