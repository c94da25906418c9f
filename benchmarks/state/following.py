"""Following runs, in this process or in another one, and what was seen meanwhile."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections.abc import AsyncGenerator, AsyncIterable, MutableSequence, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from benchmarks.process import ROOT
from benchmarks.state.house import TENANT, House, open_house
from penstock.v1.run_log_pb2 import TailEventsRequest, TailEventsResponse, TailOpen

CREDIT: Final = 1 << 40
PATIENCE: Final = 120.0


@dataclass(slots=True)
class Seen:
    """Has the milliseconds between the append and the sight of each token; `cpu` the seconds of CPU that another
    process used for it, 0 where it was this one."""

    # A list of millions is looked through by each full collection, and would stall what is measured.
    late_ms: MutableSequence[float] = field(default_factory=lambda: array("d"))
    cpu: float = 0.0

    def take(self, response: TailEventsResponse) -> None:
        """Takes in what came; a token's text begins with the time at which it was appended."""
        now = time.monotonic_ns()
        for batch in response.batches:
            for event in batch.events:
                if event.HasField("token"):
                    self.late_ms.append((now - int(event.token.text.split(" ", 1)[0])) / 1e6)


class Follower(Protocol):
    """Sees what is appended to runs."""

    async def all_of(self, tokens: int) -> Seen:
        """Returns what was seen once it is so many tokens."""


def token() -> str:
    """Returns a token's text: the time now, and some more."""
    return f"{time.monotonic_ns()} token of text"


@asynccontextmanager
async def following(house: House, url: str, runs: Sequence[str]) -> AsyncGenerator[Follower]:
    """Follows runs for the block: in this process, or where the store takes several in another one."""
    kind = _followed_here(house, runs) if url.startswith("sqlite") else _followed_there(url, runs)
    async with kind as follower:
        yield follower


class _Here:
    def __init__(self) -> None:
        self.seen = Seen()
        self._news = asyncio.Event()

    async def read(self, call: AsyncIterable[TailEventsResponse]) -> None:
        async for response in call:
            self.seen.take(response)
            self._news.set()

    async def all_of(self, tokens: int) -> Seen:
        async with asyncio.timeout(PATIENCE):
            while len(self.seen.late_ms) < tokens:
                self._news.clear()
                await self._news.wait()
        return self.seen


@asynccontextmanager
async def _followed_here(house: House, runs: Sequence[str]) -> AsyncGenerator[_Here]:
    follower = _Here()
    call = house.log.TailEvents()
    opens = [
        TailOpen(tail_id=number, tenant=TENANT, run_id=run, credit_bytes=CREDIT) for number, run in enumerate(runs, 1)
    ]
    await call.write(TailEventsRequest(opens=opens))
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(follower.read(call))
        try:
            yield follower
        finally:
            reading.cancel()
            call.cancel()


class _There:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def all_of(self, tokens: int) -> Seen:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{tokens}\n".encode())
        answer = await self.line()
        return Seen(answer["late_ms"], answer["cpu"])

    async def line(self) -> dict[str, Any]:
        """Returns what the process says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return answer


@asynccontextmanager
async def _followed_there(url: str, runs: Sequence[str]) -> AsyncGenerator[_There]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.state.following",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 28,
    )
    assert process.stdin is not None
    follower = _There(process)
    try:
        process.stdin.write(json.dumps({"url": url, "runs": list(runs)}).encode() + b"\n")
        await follower.line()  # it follows now
        yield follower
    finally:
        process.stdin.close()
        await process.wait()


async def _follow_for_another() -> None:
    lines = asyncio.StreamReader(limit=1 << 28)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    asked = json.loads(await lines.readline())
    async with open_house(asked["url"]) as house, _followed_here(house, asked["runs"]) as follower:
        await asyncio.sleep(0.5)  # all tails are open by then; what is appended earlier is seen all the same
        begin = time.process_time()
        print("{}", flush=True)
        while line := await lines.readline():
            seen = await follower.all_of(int(line))
            print(json.dumps({"late_ms": list(seen.late_ms), "cpu": time.process_time() - begin}), flush=True)


if __name__ == "__main__":
    asyncio.run(_follow_for_another())
