"""A real mesh with two gateways, each a process that tests may kill."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.topologies.mesh import Daemon

INNER = ("state", "tools", "executor", "orchestrator")
AGENTS = ("echo", "paced", "endless")


@dataclass(frozen=True)
class TwoDoors:
    """Represents one process with all layers but the gateway, and two gateways before it."""

    inner: Daemon
    first: Daemon
    second: Daemon

    @property
    def address(self) -> str:
        """Both doors, the first one first."""
        return f"{self.first.listen},{self.second.listen}"

    async def all_up(self) -> None:
        """Starts what was killed or stopped, at its old address."""
        for daemon in (self.inner, self.first, self.second):
            if daemon.process is None or daemon.process.returncode is not None:
                await daemon.start()


@asynccontextmanager
async def two_doors(home: Path) -> AsyncGenerator[TwoDoors]:
    """Serves for a block."""
    agents = [word for name in AGENTS for word in ("--agent", f"{name}=tests.topologies.agents:{name}")]
    state = ["--state", f"sqlite:///{home / 'penstock.db'}"]
    inner = Daemon("inner", ["--layers", ",".join(INNER), *state, *agents], home)
    await inner.start()
    gateway = ["--layers", "gateway", *(word for layer in INNER for word in ("--connect", f"{layer}={inner.listen}"))]
    # A drain that waits for streams no longer than this: they have another door to go to.
    soon = {"PENSTOCK_DRAIN_SECONDS": "0.3"}
    doors = TwoDoors(inner, *(Daemon(name, gateway, home, environment=soon) for name in ("first", "second")))
    try:
        await doors.all_up()
        yield doors
    finally:
        async with asyncio.TaskGroup() as stopping:
            for daemon in (doors.first, doors.second, inner):
                if daemon.process is not None:
                    stopping.create_task(daemon.kill())
