"""The five layers in one process, over a store that is to break."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from penstock.client import Client
from tests.topologies.mesh import Daemon


@asynccontextmanager
async def small_mesh(
    url: str, directory: Path, *, patience: float = 30.0, **environment: str
) -> AsyncGenerator[Client]:
    """Runs penstockd for the block, and gives a client of it that holds out for `patience` seconds."""
    agents = [flag for name in ("echo", "endless") for flag in ("--agent", f"{name}=tests.topologies.agents:{name}")]
    daemon = Daemon(
        "all", ["--state", url, *agents], directory, environment={"PENSTOCK_LOG__LEVEL": "warning", **environment}
    )
    await daemon.start()
    try:
        async with Client(daemon.listen, patience=patience) as client:
            yield client
    finally:
        await daemon.kill()
