"""The model server of `server.py` as a process, and what it has seen."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass
class ModelProcess:
    """Represents a running model server."""

    process: asyncio.subprocess.Process
    port: int

    @classmethod
    async def start(cls) -> Self:
        """Starts it on a free port."""
        server = str(Path(__file__).with_name("server.py"))
        process = await asyncio.create_subprocess_exec(sys.executable, "-P", server, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        async with asyncio.timeout(20):
            return cls(process, int(await process.stdout.readline()))

    @property
    def url(self) -> str:
        """Where its API begins."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def seen(self, behaviour: str = "") -> list[dict[str, Any]]:
        """Returns the requests so far, or those for one behaviour."""
        return [one for one in await self._ask("seen") if behaviour in ("", one["behaviour"])]

    async def wait_closed(self, number: int) -> None:
        """Returns once the client of a request has closed its socket."""
        await self._ask(f"closed?{number}")

    async def wait_seen(self, behaviour: str, count: int) -> dict[str, Any]:
        """Returns the last of so many requests for a behaviour, once it came."""
        arrived: dict[str, Any] = await self._ask(f"arrived?{behaviour}={count}")
        return arrived

    async def release(self, number: int) -> None:
        """Lets an answer go on that waits in its middle."""
        await self._ask(f"release?{number}")

    async def stop(self) -> None:
        """Ends it."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()

    async def _ask(self, what: str) -> Any:
        def ask() -> Any:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{what}", timeout=20) as answer:
                return json.load(answer)

        return await asyncio.to_thread(ask)
