"""Care for a store on Redis."""

from collections.abc import AsyncGenerator, Callable
from functools import partial

from penstock.state.care import RecordKind, RecordName
from penstock.state.redis.care_check import Check
from penstock.state.redis.care_check_run import RunCheck
from penstock.state.redis.care_export import exported_run, exported_topic, exported_topic_events
from penstock.state.redis.care_names import RecordNames
from penstock.state.redis.care_runs import RunImport
from penstock.state.redis.care_sessions import SessionImport
from penstock.state.redis.care_stats import Statistics
from penstock.state.redis.care_topics import add_topic, add_topic_events
from penstock.state.redis.care_vacuum import vacuum
from penstock.state.redis.care_values import add_value
from penstock.state.redis.link import Link
from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.rooms import Rooms
from penstock.state.redis.session_history import SessionHistory
from penstock.state.redis.values_index import ValueIndex
from penstock.state.stores import Page
from penstock.v1.state_admin_pb2 import (
    CheckStoreResponse,
    ExportedEvents,
    ExportedMessages,
    ExportedRun,
    ExportedSession,
    ExportedTopic,
    ExportedTopicEvents,
    ExportedValue,
    GetStoreStatsResponse,
    VacuumStoreResponse,
)


class RedisCare:
    """Looks at all that the servers hold, and writes records as they were: those of rooms by the rooms' own commits."""

    def __init__(
        self,
        link: Link,
        rooms: Rooms,
        history: SessionHistory,
        values: ValueIndex,
        topics: NameIndex,
        claimable: Callable[[], None],
    ) -> None:
        self._link = link
        self._rooms = rooms
        self._values = values
        self._topics = topics
        self._names = RecordNames(link, values, topics)
        self._statistics = Statistics(link, history)
        self._check = Check(link, self._names, RunCheck(link))
        self._sessions = SessionImport(history)
        self._runs = RunImport(link, rooms, claimable)

    def now_us(self) -> int:
        """See StoreCare."""
        return self._link.clock.now_us()

    async def stats(self) -> GetStoreStatsResponse:
        """See StoreCare."""
        return await self._statistics.read()

    def check(self) -> AsyncGenerator[CheckStoreResponse]:
        """See StoreCare."""
        return self._check.look_over()

    def vacuum(self) -> AsyncGenerator[VacuumStoreResponse]:
        """See StoreCare."""
        return vacuum(self._link)

    async def names(self, kind: RecordKind, after: bytes, limit: int) -> Page[RecordName]:
        """See StoreCare."""
        return await self._names.page(kind, after, limit)

    async def run(self, tenant: str, run_id: str) -> ExportedRun | None:
        """See StoreCare."""
        return await exported_run(self._rooms, tenant, run_id)

    async def topic(self, tenant: str, topic: str) -> ExportedTopic | None:
        """See StoreCare."""
        return await exported_topic(self._link, tenant, topic)

    async def topic_events(self, tenant: str, topic: str, after: int, max_bytes: int) -> ExportedTopicEvents:
        """See StoreCare."""
        return await exported_topic_events(self._link, tenant, topic, after, max_bytes)

    async def add_value(self, value: ExportedValue) -> bool:
        """See StoreCare."""
        return await add_value(self._link, self._values, value)

    async def add_session(self, session: ExportedSession) -> bool:
        """See StoreCare."""
        room = self._rooms.of_session(session.tenant, session.session.session_id)
        return await room.submit(partial(self._sessions.add, session))

    async def forward_session(self, session: ExportedSession) -> None:
        """See StoreCare."""
        room = self._rooms.of_session(session.tenant, session.session.session_id)
        await room.submit(partial(self._sessions.forward, session))

    async def add_messages(self, messages: ExportedMessages) -> None:
        """See StoreCare."""
        room = self._rooms.of_session(messages.tenant, messages.session_id)
        await room.submit(partial(self._sessions.add_messages, messages))

    async def add_events(self, events: ExportedEvents) -> bool:
        """See StoreCare."""
        return await self._runs.add_events(events)

    async def add_run(self, run: ExportedRun) -> None:
        """See StoreCare."""
        await self._runs.add_run(run)

    async def add_topic(self, topic: ExportedTopic) -> bool:
        """See StoreCare."""
        return await add_topic(self._link, self._topics, topic)

    async def add_topic_events(self, events: ExportedTopicEvents) -> bool:
        """See StoreCare."""
        return await add_topic_events(self._link, events)
