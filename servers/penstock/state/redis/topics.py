"""Topics on Redis."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from penstock.state.clock import to_timestamp
from penstock.state.redis.background import background
from penstock.state.redis.link import Link
from penstock.state.redis.name_index import NameIndex
from penstock.state.redis.news import News
from penstock.state.redis.scripts import Reply, Script
from penstock.state.redis.topics_groups import ANSWER, BURIED, JOIN, LEAVE, TAKE
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.redis.topics_presence import show_life
from penstock.state.redis.topics_scripts import PUBLISH
from penstock.state.redis.topics_streams import Streams
from penstock.state.settings import StateSettings
from penstock.state.topic_store import (
    REPLY_PREFIX,
    Demand,
    Member,
    Taken,
    dead_letter_key,
    dead_letter_reason,
    dead_topic,
    reply_address_gone,
)
from penstock.v1.event_pb2 import AcknowledgeRequest, DeliveredEvent, TopicEvent
from penstock.wire.errors import InvalidArgument, PenstockError, Unavailable

_LOGGER = logging.getLogger(__name__)
_LEAVE_S: Final = 2.0


class RedisTopics:
    """Keeps topics, each in one slot; a dead letter is in its topic before it leaves the group."""

    def __init__(self, link: Link, streams: Streams, index: NameIndex, settings: StateSettings) -> None:
        self._link = link
        self._index = index
        self._most_events = settings.max_topic_events
        self._retention_us = int(settings.topic_retention * 1_000_000)
        self._streams = streams

    async def publish(self, tenant: str, topic: str, events: Sequence[TopicEvent]) -> Sequence[int]:
        """See TopicStore."""
        time = to_timestamp(self._link.clock.now_us())
        words: list[bytes | str] = []
        for event in events:
            stored = TopicEvent()
            stored.CopyFrom(event)
            stored.time.CopyFrom(time)
            words += (event.event_id, stored.SerializeToString(), "")
        made: int | str = 0 if topic.startswith(REPLY_PREFIX) else ""
        return await self._append(tenant, topic, words, made)

    async def join(self, member: Member, from_position: int | None) -> int:
        """See TopicStore."""
        self._streams.add(member)
        keys = TopicKeys(self._link.keys, member.tenant, member.topic)
        begin = "" if from_position is None else from_position
        for listed in (0, 1):
            reply = await self._run_group(JOIN, keys, member, keys.groups, member.group, member.stream, begin, listed)
            if reply[0] == b"list":
                await self._index.list(member.tenant, member.topic.encode())
                continue
            if reply[0] == b"future":
                raise InvalidArgument.of(
                    [("from_position", f"is {from_position}; the next event of the topic will be {int(reply[1])}")]
                )
            break
        return int(reply[1])

    async def take(self, member: Member, demand: Demand) -> Taken:
        """See TopicStore."""
        keys = TopicKeys(self._link.keys, member.tenant, member.topic)
        wanted = (
            member.stream,
            demand.max_unacknowledged,
            demand.max_bytes,
            demand.visibility_us,
            int(member.owns_group),
        )
        while True:
            kind, *found = await self._run_group(TAKE, keys, member, keys.events, *wanted)
            if kind == b"lost":
                raise Unavailable(f"group {member.group} of topic {member.topic} is gone", reason="GROUP_LOST")
            if kind == b"taken":
                return _taken(member, *found)
            await self._bury(keys, member, found[0])

    async def leave(self, member: Member) -> None:
        """See TopicStore."""
        self._streams.remove(member)
        await self._leave(member, counts=True)

    async def acknowledge(self, request: AcknowledgeRequest) -> Sequence[int]:
        """See TopicStore."""
        keys = TopicKeys(self._link.keys, request.tenant, request.topic)
        words: list[int | str] = [len(request.positions), *request.positions]
        for failed in request.failed:
            words += (failed.position, failed.reason)

        def tell(reply: Any) -> None:
            for holder in reply[1]:
                self._streams.stream_has_room(holder.decode())
            if request.failed:
                self._streams.group_has_more(request.tenant, request.topic, request.group)

        unknown, _ = await self._change(ANSWER, keys.group(request.group), words, tell)
        return [int(position) for position in unknown]

    def watch(self, member: Member, wake: Callable[[], None]) -> Callable[[], None]:
        """See TopicStore."""
        return self._streams.watch(member, wake)

    async def close(self) -> None:
        """Gives back what all streams here have; none of it counts as delivered, because it is not their fault."""
        try:
            async with asyncio.timeout(_LEAVE_S):
                await asyncio.gather(*(self._leave(member, counts=False) for member in self._streams.members))
        except (PenstockError, TimeoutError) as error:
            # The other processes notice that the streams are silent.
            _LOGGER.warning("could not give back what streams of topics had: %s", error)

    async def _append(
        self, tenant: str, topic: str, words: Sequence[bytes | str], made: int | str = ""
    ) -> Sequence[int]:
        keys = TopicKeys(self._link.keys, tenant, topic)

        def tell(reply: Any) -> None:
            if reply[0] == b"1":
                self._streams.topic_has_more(tenant, topic)

        while True:
            reply = await self._change(
                PUBLISH,
                (keys.topic, keys.events, keys.ids),
                (made, self._most_events, self._retention_us, *words),
                tell,
            )
            match reply:
                case [b"list"]:
                    await self._index.list(tenant, topic.encode())
                    made = 1
                case [b"gone"]:
                    raise reply_address_gone(topic)
                case [_, *positions]:
                    return [int(position) for position in positions]

    async def _leave(self, member: Member, *, counts: bool) -> None:
        keys = TopicKeys(self._link.keys, member.tenant, member.topic)

        def tell(given: Any) -> None:
            if given:
                self._streams.group_has_more(member.tenant, member.topic, member.group)

        await self._change(
            LEAVE,
            (*keys.group(member.group), keys.topic, keys.groups),
            (member.group, member.stream, int(member.owns_group), int(counts)),
            tell,
        )

    async def _change(
        self,
        script: Script,
        keys: Sequence[bytes],
        words: Sequence[bytes | str | int],
        tell: Callable[[Any], None],
    ) -> Any:
        """Runs a script of which streams are to hear: `tell` gets its answer, also when the caller has gone meanwhile.

        A repeat would find nothing new to tell of. When the answer is lost, the link is renewed, and all look again.
        """
        changing = self._link.run(script, keys, words)

        def changed(future: asyncio.Future[Reply]) -> None:
            if not future.cancelled() and future.exception() is None:
                tell(future.result().value)

        changing.add_done_callback(changed)
        return (await asyncio.shield(changing)).value

    async def _bury(self, keys: TopicKeys, member: Member, bury: Sequence[Sequence[bytes]]) -> None:
        dead: list[bytes | str] = []
        settled: list[bytes | int] = []
        for position, delivery, last, body in bury:
            reason = dead_letter_reason(member.topic, member.group, int(position), int(delivery), last.decode())
            dead += (dead_letter_key(member.topic, member.group, int(position)), body, reason)
            settled += (position, delivery)
        await self._append(member.tenant, dead_topic(member.topic, member.group), dead)
        await self._link.run(BURIED, keys.group(member.group), settled)

    async def _run_group(
        self, script: Script, keys: TopicKeys, member: Member, last_key: bytes, *words: bytes | str | int
    ) -> Any:
        return (await self._link.run(script, (*keys.group(member.group), keys.topic, last_key), words)).value


def _taken(
    member: Member,
    skipped: int,
    due_in: bytes,
    more: int,
    dropped: Sequence[tuple[bytes, int, bytes]],
    events: Sequence[tuple[bytes, int, bytes, bytes]],
) -> Taken:
    for position, delivery, last in dropped:
        reason = dead_letter_reason(member.topic, member.group, int(position), delivery, last.decode())
        _LOGGER.warning("an event of topic %s was dropped: %s", member.topic, reason)
    if skipped:
        _LOGGER.warning(
            "topic %s of tenant %s dropped %d events that group %s had not got",
            member.topic,
            member.tenant,
            skipped,
            member.group,
        )
    return Taken(
        events=[
            DeliveredEvent(
                position=int(position),
                event=TopicEvent.FromString(body),
                delivery=delivery,
                dead_letter_reason=reason.decode(),
            )
            for position, delivery, reason, body in events
        ],
        skipped=skipped,
        due_in=int(due_in) / 1e6 if due_in else None,
        more=bool(more),
    )


@asynccontextmanager
async def open_topics(link: Link, news: News, index: NameIndex, settings: StateSettings) -> AsyncGenerator[RedisTopics]:
    """Serves topics for the block, at whose end streams that have not left are taken to have ended with it."""
    streams = Streams(news)
    topics = RedisTopics(link, streams, index, settings)
    async with background() as tasks:
        tasks.start(show_life(link, streams))
        try:
            yield topics
        finally:
            await topics.close()
