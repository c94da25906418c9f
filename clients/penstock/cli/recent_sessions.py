"""Conversations, gathered from the newest runs: which there are, and how they stand."""

from collections.abc import AsyncIterable
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from penstock.client import Run


@dataclass(slots=True)
class RecentSession:
    """Represents a conversation by those of its runs that were looked at; `last` is the newest."""

    session_id: str
    last: Run
    runs: int = 0

    @property
    def last_activity(self) -> Timestamp:
        """When its newest run was recorded, began or ended, whichever came last."""
        run = self.last
        if run.HasField("finish_time"):
            return run.finish_time
        return run.start_time if run.HasField("start_time") else run.create_time


@dataclass(frozen=True, slots=True)
class Recent:
    """Represents the conversations found, newest first, and how many runs were looked at."""

    sessions: list[RecentSession]
    looked_at: int


async def gather(newest_first: AsyncIterable[Run], limit: int) -> Recent:
    """Looks at so many runs, and returns their conversations; runs without one don't count."""
    found: dict[str, RecentSession] = {}
    looked_at = 0
    async for run in newest_first:
        looked_at += 1
        if run.session_id:
            found.setdefault(run.session_id, RecentSession(run.session_id, run)).runs += 1
        if looked_at == limit:
            break
    return Recent(list(found.values()), looked_at)
