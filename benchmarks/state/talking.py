"""Runs that talk through one state process and are followed at another: what a token costs both, and the Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from benchmarks import cpu
from benchmarks.state.following import CREDIT, PATIENCE, Seen, token
from benchmarks.state.house import TENANT
from benchmarks.state.two_states import TwoStates
from benchmarks.state.valkey import log_entries, server_facts
from benchmarks.state.workloads import Metrics, lateness
from penstock.run_log.run_writer import RunWriter
from penstock.run_log.writer import LogWriter
from penstock.v1.run_event_pb2 import RunEvent, Token
from penstock.v1.run_log_pb2 import TailEventsRequest, TailEventsResponse, TailOpen

SETTLE: Final = 0.2
Say = Callable[[RunWriter, int], Awaitable[int]]


async def talk(states: TwoStates, seconds: float, streams: int = 64) -> Metrics:
    """Runs say tokens as fast as everything takes them, each run one token in a turn of the executor's loop."""
    until = 0.0

    async def say(writer: RunWriter, _number: int) -> int:
        nonlocal until
        until = until or time.monotonic() + seconds
        said = 0
        while time.monotonic() < until:
            await writer.emit(_token())
            await asyncio.sleep(0)
            said += 1
        await writer.append(_token())
        return said + 1

    return await _measured(states, streams, say)


async def talk_paced(states: TwoStates, seconds: float, streams: int = 200, per_second: int = 50) -> Metrics:
    """Runs say so many tokens a second, each at times of its own."""
    tokens = max(1, round(seconds * per_second))

    async def say(writer: RunWriter, number: int) -> int:
        begin = time.monotonic() + number / streams / per_second
        for due in range(tokens - 1):
            # Also a token that is late goes by itself, with the others' between.
            await asyncio.sleep(max(0.0, begin + due / per_second - time.monotonic()))
            await writer.emit(_token())
        await asyncio.sleep(max(0.0, begin + (tokens - 1) / per_second - time.monotonic()))
        await writer.append(_token())
        return tokens

    return await _measured(states, streams, say)


def _token() -> RunEvent:
    return RunEvent(step_id="main", attempt=1, token=Token(text=token()))


@dataclass(frozen=True, slots=True)
class _Used:
    """Represents what was used until a moment: CPU seconds of each process, entries of logs, and messages of news."""

    writing: float
    following: float
    server: float
    entries: int
    news: int

    @classmethod
    async def until_now(cls, states: TwoStates) -> _Used:
        facts = await server_facts(states.url)
        return cls(
            writing=cpu.of_process(states.writing.pid),
            following=cpu.of_process(states.following.pid),
            server=facts["used_cpu_user"] + facts["used_cpu_sys"],
            entries=await log_entries(states.url),
            news=int(facts.get("cmdstat_spublish", {"calls": 0})["calls"]),
        )


async def _measured(states: TwoStates, streams: int, say: Say) -> Metrics:
    runs = await states.writer.begin(f"t{time.monotonic_ns()}", streams)
    reading = _Reading(streams)
    opens = [
        TailOpen(tail_id=number, tenant=TENANT, run_id=run, credit_bytes=CREDIT) for number, run in enumerate(runs, 1)
    ]
    call = states.follower.log.TailEvents()
    async with LogWriter(states.writer.log) as log, asyncio.TaskGroup() as group:
        task = group.create_task(reading.read(call))
        try:
            await call.write(TailEventsRequest(opens=opens))
            await reading.all_there()
            await asyncio.sleep(SETTLE)
            begin, before = time.monotonic(), await _Used.until_now(states)
            counts = await asyncio.gather(
                *(
                    say(log.open(tenant=TENANT, run_id=run, epoch=1, step_id="main", attempt=1), number)
                    for number, run in enumerate(runs)
                )
            )
            tokens = sum(counts)
            seen = await reading.all_of(tokens)
            took = time.monotonic() - begin
            await asyncio.sleep(SETTLE)
            after = await _Used.until_now(states)
        finally:
            task.cancel()
            call.cancel()
    writing, following = after.writing - before.writing, after.following - before.following
    return {
        "cpu_us": (writing + following) / tokens * 1e6,
        "writing_us": writing / tokens * 1e6,
        "following_us": following / tokens * 1e6,
        "server_us": (after.server - before.server) / tokens * 1e6,
        "tokens_per_entry": tokens / (after.entries - before.entries),
        "entries_per_100": (after.entries - before.entries) / tokens * 100,
        "tokens_per_news": tokens / (after.news - before.news),
        "per_second": tokens / took,
        **lateness(seen.late_ms),
    }


class _Reading:
    """Sees what is said, on one stream for all runs."""

    def __init__(self, streams: int) -> None:
        self._seen = Seen()
        self._unheard = set(range(1, streams + 1))
        self._news = asyncio.Event()

    async def read(self, call: AsyncIterable[TailEventsResponse]) -> None:
        async for response in call:
            self._unheard.difference_update(batch.tail_id for batch in response.batches)
            self._seen.take(response)
            self._news.set()

    async def all_there(self) -> None:
        """Returns once each run is followed."""
        await self._until(lambda: not self._unheard)

    async def all_of(self, tokens: int) -> Seen:
        """Returns what was seen once it is so many tokens."""
        await self._until(lambda: len(self._seen.late_ms) >= tokens)
        return self._seen

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._news.clear()
                await self._news.wait()
