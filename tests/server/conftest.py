"""Configurations and real servers for tests of what hosts the layers."""

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from penstock.server.assemble import CALLS
from penstock.server.config import Config, make_config
from penstock.server.sources import from_flags

SAMPLES = Path(__file__).parent / "samples"
sys.path.insert(0, str(SAMPLES))

Configure = Callable[..., Config]
Connect = Callable[[object], grpc.aio.Channel]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Makes configurations whose store is the test's own and whose address is any free one."""

    def make(**flags: Any) -> Config:
        chosen = {"listen": "127.0.0.1:0", "state": f"sqlite:///{tmp_path}/penstock.db", **flags}
        triples = [(f"--{key}", key.replace("__", "."), value) for key, value in chosen.items()]
        return make_config(from_flags(triples), [], CALLS)

    return make


@pytest.fixture
async def connect() -> AsyncGenerator[Connect]:
    """Opens plain gRPC channels to addresses, and closes them after the test."""
    channels = []

    def open_one(address: object) -> grpc.aio.Channel:
        # Within a process, grpc shares connections between channels of equal options, also of those that were closed.
        channel = grpc.aio.insecure_channel(str(address), options=[("grpc.use_local_subchannel_pool", 1)])
        channels.append(channel)
        return channel

    yield open_one
    for channel in channels:
        await channel.close()


@pytest.fixture
async def pipe(tmp_path: Path) -> AsyncGenerator[Path]:
    """Makes a named pipe for an agent to wait in; whoever still waits at the end of the test is let go."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    yield path
    with contextlib.suppress(OSError):  # nobody waits
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
