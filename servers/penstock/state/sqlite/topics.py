"""Topics on SQLite."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from penstock.state.clock import StoreClock
from penstock.state.sqlite.database import Database, Transaction
from penstock.state.sqlite.topic_deliveries import fail, give_back, prolong, settle, stream_of
from penstock.state.sqlite.topic_groups import GroupRow, drop_group, ensure_group, find_group, group_in_use
from penstock.state.sqlite.topic_rows import append_events, ensure_topic, find_topic, stamped
from penstock.state.sqlite.topic_taking import Taking
from penstock.state.topic_store import REPLY_PREFIX, Demand, Member, Taken, dead_topic, reply_address_gone
from penstock.v1.event_pb2 import AcknowledgeRequest, TopicEvent
from penstock.wire.errors import Unavailable

Wake = Callable[[], None]


@dataclass(slots=True, eq=False)
class Stream:
    """Represents a stream that is open: its group's number, how much it has not answered, and whom to wake.

    `prolonged_us` is when it last got more time for what it has after `prolonged_after`.
    """

    group: int = 0
    out: int = 0
    wake: Wake | None = None
    visibility_us: int = 0
    prolonged_us: int = 0
    prolonged_after: int = 0


class SqliteTopics:
    """Keeps topics; who has which stream is known here alone, because there is one process."""

    def __init__(self, database: Database, clock: StoreClock, most_events: int) -> None:
        self._database = database
        self._clock = clock
        self._most_events = most_events
        self._streams: dict[tuple[str, str], dict[str, Stream]] = {}
        self._awake: dict[Stream, None] = {}

    def publish(self, tenant: str, topic: str, events: Sequence[TopicEvent]) -> Awaitable[Sequence[int]]:
        """See TopicStore."""

        def operation(transaction: Transaction) -> Sequence[int]:
            connection = transaction.connection
            now_us = self._clock.now_us()
            if topic.startswith(REPLY_PREFIX):
                found = find_topic(connection, tenant, topic)
                if found is None:
                    raise reply_address_gone(topic)
            else:
                found = ensure_topic(connection, tenant, topic, now_us)
            stored = [stamped(event, now_us) for event in events]
            positions, news = append_events(connection, found, stored, now_us, self._most_events)
            if news:
                self._wake_topic(transaction, tenant, topic)
            return positions

        return self._database.write(operation)

    def join(self, member: Member, from_position: int | None) -> Awaitable[int]:
        """See TopicStore."""
        stream = self._stream(member)

        def operation(transaction: Transaction) -> int:
            now_us = self._clock.now_us()
            topic = ensure_topic(transaction.connection, member.tenant, member.topic, now_us)
            group = ensure_group(transaction.connection, topic, member.group, from_position, now_us)
            stream.group = group.number
            return max(group.next_position, topic.first_position)

        return self._database.write(operation)

    def take(self, member: Member, demand: Demand) -> Awaitable[Taken]:
        """See TopicStore."""
        stream = self._stream(member)

        def operation(transaction: Transaction) -> Taken:
            found = group_in_use(transaction.connection, stream.group)
            if found is None:
                raise Unavailable(f"group {member.group} of topic {member.topic} is gone", reason="GROUP_LOST")
            now_us = self._clock.now_us()
            taking = Taking(transaction.connection, member, demand, *found, now_us, self._most_events)
            taking.take(stream.out)
            stream.visibility_us = demand.visibility_us
            got = len(taking.events)
            if got or taking.freed:
                transaction.on_commit(lambda: self._moved(member, stream, got, taking.freed))
            if taking.dead:
                self._wake_topic(transaction, member.tenant, dead_topic(member.topic, member.group))
            return Taken(taking.events, taking.skipped, taking.due_in(), taking.more)

        return self._database.write(operation)

    def leave(self, member: Member) -> Awaitable[None]:
        """See TopicStore."""
        key = (member.tenant, member.topic)
        streams = self._streams.get(key, {})
        streams.pop(member.stream, None)
        if not streams:
            self._streams.pop(key, None)

        def operation(transaction: Transaction) -> None:
            connection = transaction.connection
            now_us = self._clock.now_us()
            topic = find_topic(connection, member.tenant, member.topic)
            group = None if topic is None else find_group(connection, topic.number, member.group)
            if topic is None or group is None:
                return
            connection.execute("UPDATE topics SET used_us = ? WHERE number = ?", (now_us, topic.number))
            if member.owns_group:
                drop_group(connection, group.number)
                return
            connection.execute("UPDATE topic_groups SET seen_us = ? WHERE number = ?", (now_us, group.number))
            give_back(connection, group.number, member.stream)
            self._wake_group(transaction, member.tenant, member.topic, group.number)

        return self._database.write(operation)

    def acknowledge(self, request: AcknowledgeRequest) -> Awaitable[Sequence[int]]:
        """See TopicStore."""

        def operation(transaction: Transaction) -> Sequence[int]:
            connection = transaction.connection
            topic = find_topic(connection, request.tenant, request.topic)
            group = None if topic is None else find_group(connection, topic.number, request.group)
            if group is None:
                return [*request.positions, *(failed.position for failed in request.failed)]
            unknown: list[int] = []
            answered: dict[str, list[int]] = {}
            for position in request.positions:
                holder = stream_of(connection, group.number, position)
                if holder is None:
                    unknown.append(position)
                else:
                    settle(connection, group.number, position)
                    answered.setdefault(holder, []).append(position)
            for failed in request.failed:
                holder = stream_of(connection, group.number, failed.position)
                if not holder:
                    unknown.append(failed.position)
                else:
                    fail(connection, group.number, failed.position, failed.reason)
                    answered.setdefault(holder, []).append(failed.position)
            self._answered(transaction, request, group, answered)
            return unknown

        return self._database.write(operation)

    def watch(self, member: Member, wake: Wake) -> Wake:
        """See TopicStore."""
        stream = self._stream(member)
        stream.wake = wake

        def forget() -> None:
            stream.wake = None

        return forget

    def lives(self, tenant: str, topic: str, group: int) -> bool:
        """Tells whether a group has a stream."""
        return any(stream.group == group for stream in self._streams.get((tenant, topic), {}).values())

    def _answered(
        self, transaction: Transaction, request: AcknowledgeRequest, group: GroupRow, answered: dict[str, list[int]]
    ) -> None:
        now_us = self._clock.now_us()
        streams = self._streams.get((request.tenant, request.topic), {})
        for name, positions in answered.items():
            stream = streams.get(name)
            if stream is None:
                continue
            # Each answer could prolong; done now and then it costs a tenth, and keeps three quarters of the time.
            first = min(positions)
            if now_us - stream.prolonged_us >= stream.visibility_us // 4 or first < stream.prolonged_after:
                due_us = now_us + stream.visibility_us
                prolong(transaction.connection, group.number, name, first, now_us, due_us)
                stream.prolonged_us, stream.prolonged_after = now_us, first
        freed = Counter({name: len(positions) for name, positions in answered.items() if name})
        transaction.on_commit(lambda: self._free(streams, freed))
        self._awake.update((stream, None) for name, stream in streams.items() if name in freed)
        transaction.on_done(self._wake_up)
        if request.failed:
            self._wake_group(transaction, request.tenant, request.topic, group.number)

    def _moved(self, member: Member, stream: Stream, got: int, freed: Counter[str]) -> None:
        stream.out += got
        self._free(self._streams.get((member.tenant, member.topic), {}), freed)

    def _free(self, streams: dict[str, Stream], freed: Counter[str]) -> None:
        for name, count in freed.items():
            if name in streams:
                streams[name].out -= count

    def _stream(self, member: Member) -> Stream:
        return self._streams.setdefault((member.tenant, member.topic), {}).setdefault(member.stream, Stream())

    def _wake_topic(self, transaction: Transaction, tenant: str, topic: str) -> None:
        streams = self._streams.get((tenant, topic))
        if streams:
            self._awake.update((stream, None) for stream in streams.values())
            transaction.on_done(self._wake_up)

    def _wake_group(self, transaction: Transaction, tenant: str, topic: str, group: int) -> None:
        streams = self._streams.get((tenant, topic), {})
        self._awake.update((stream, None) for stream in streams.values() if stream.group == group)
        transaction.on_done(self._wake_up)

    def _wake_up(self) -> None:
        awake, self._awake = self._awake, {}
        for stream in awake:
            if stream.wake is not None:
                stream.wake()
