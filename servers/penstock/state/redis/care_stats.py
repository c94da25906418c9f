"""What the servers hold, counted by a walk through all keys."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from penstock.state.clock import to_timestamp
from penstock.state.redis.care_check_run import UNREADABLE
from penstock.state.redis.care_walk import FoundKey, KeyWalk
from penstock.state.redis.dial import name_in, parse_info, replicas_in
from penstock.state.redis.link import Link
from penstock.state.redis.opening import SCHEMA
from penstock.state.redis.room_script import LOOK
from penstock.state.redis.room_state import read_state
from penstock.state.redis.session_history import SessionHistory
from penstock.v1.run_pb2 import (
    DURABILITY_POWER,
    DURABILITY_PROCESS,
    DURABILITY_REPLICA,
    RUN_STATE_QUEUED,
    Durability,
)
from penstock.v1.state_admin_pb2 import GetStoreStatsResponse, StoreFigure

_LEVELS: Final = (DURABILITY_REPLICA, DURABILITY_POWER, DURABILITY_PROCESS)
# Each key of these kinds is one of what the figure counts.
_COUNTED: Final = {
    ("run", True): "runs",
    ("body", False): "values",
    ("topic", False): "topics",
    ("bucket", True): "rate_limits",
}
_FIGURES: Final = (
    "runs",
    "unfinished_runs",
    "queued_runs",
    "sessions",
    "messages",
    "values",
    "topics",
    "topic_events",
    "rate_limits",
    "reservations",
    "keys",
)
_HELD: Final = b"1"
_NEVER: Final = 2**62


class Statistics:
    """Counts what there is."""

    def __init__(self, link: Link, history: SessionHistory) -> None:
        self._link = link
        self._history = history
        self._walk = KeyWalk(link)

    async def read(self) -> GetStoreStatsResponse:
        """Counts; see StoreCare.stats."""
        link = self._link
        stats = GetStoreStatsResponse(
            place=str(link.address),
            schema_version=SCHEMA,
            durability=self._durability(),
            time=to_timestamp(link.clock.now_us()),
        )
        count = _Count()
        async with aclosing(self._walk.keys()) as pieces:
            async for piece in pieces:
                await self._take(piece, count)
        for name in _FIGURES:
            stats.figures.append(StoreFigure(name=name, count=count.figures[name]))
        if count.oldest_us < _NEVER:
            stats.oldest_run_time.CopyFrom(to_timestamp(count.oldest_us))
        if count.oldest_unfinished_us < _NEVER:
            stats.oldest_unfinished_run_time.CopyFrom(to_timestamp(count.oldest_unfinished_us))
        await self._describe_servers(stats)
        return stats

    def _durability(self) -> Durability:
        return next(level for level in _LEVELS if self._link.keeps(level))

    async def _describe_servers(self, stats: GetStoreStatsResponse) -> None:
        """Says what the servers are, and how much memory they take, whosever data it is for."""
        places = self._walk.places().values()
        replies = await asyncio.gather(*(self._link.call("INFO", key=place, read_only=True) for place in places))
        infos = [parse_info(reply) for reply in replies]
        stats.engine = name_in(infos[0]).lower()
        if self._link.is_cluster:
            stats.engine += f", cluster of {sum(1 + replicas_in(info) for info in infos)}"
        for name, field in (
            ("memory_bytes", "used_memory"),
            ("resident_bytes", "used_memory_rss"),
            ("memory_limit_bytes", "maxmemory"),
        ):
            size = sum(int(info.get(field, "0")) for info in infos)
            if size:  # without a limit there is no such figure
                stats.figures.append(StoreFigure(name=name, count=size))

    async def _take(self, piece: Sequence[FoundKey], count: "_Count") -> None:
        figures = count.figures
        looks = []
        for found in piece:
            figures["keys"] += 1
            counted = _COUNTED.get((found.kind, found.named))
            if counted is not None:
                figures[counted] += 1
            elif not found.named and found.kind in ("room", "messages", "events", "reservations", "runs-by-tenant"):
                looks.append(self._look(found, count))
        await asyncio.gather(*looks)

    async def _look(self, found: FoundKey, count: "_Count") -> None:
        figures = count.figures
        match found.kind:
            case "messages":
                messages: int = await self._ask("HLEN", found)
                figures["messages"] += messages  # not in one line: others add to it while this one waits
            case "events":
                events: int = await self._ask("XLEN", found)
                figures["topic_events"] += events
            case "reservations":
                lines: Sequence[bytes] = await self._ask("HVALS", found)
                figures["reservations"] += sum(line.rpartition(b" ")[2] == _HELD for line in lines)
            case "runs-by-tenant":
                words = ("ZRANGE", found.key, 0, 0, "WITHSCORES")
                oldest = await self._link.call(*words, key=found.key, read_only=True)
                count.oldest_us = min(count.oldest_us, *map(int, map(float, oldest[1:])), _NEVER)
            case _:
                await self._look_at_room(found, count)

    async def _look_at_room(self, found: FoundKey, count: "_Count") -> None:
        reply = await self._link.run(LOOK, (found.key,), (b"-", b"-"))
        try:
            state = read_state(found.tag, reply.value[0] or (), reply.server)
        except UNREADABLE:
            return  # which the check tells
        now_us, held = self._link.clock.now_us(), bool(state.runs)
        if state.meta is not None and state.meta.is_there(now_us, self._history.ttl_us, held=held):
            count.figures["sessions"] += 1
        for run in state.runs.values():
            count.figures["unfinished_runs"] += 1
            count.figures["queued_runs"] += run.head.state == RUN_STATE_QUEUED
            count.oldest_unfinished_us = min(count.oldest_unfinished_us, run.created_us)

    def _ask(self, command: str, found: FoundKey) -> asyncio.Future[Any]:
        return self._link.call(command, found.key, key=found.key, read_only=True)


class _Count:
    """Holds what was counted so far."""

    def __init__(self) -> None:
        self.figures: Counter[str] = Counter()
        self.oldest_us = _NEVER
        self.oldest_unfinished_us = _NEVER
