"""One member's stream: what its group has for it, as it comes."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress

from penstock.state.topic_store import Demand, Member, TopicStore
from penstock.v1.event_pb2 import SubscribeResponse
from penstock.wire.errors import PenstockError

_LOGGER = logging.getLogger(__name__)


async def deliver(
    topics: TopicStore, member: Member, demand: Demand, *, from_position: int | None, heartbeat: float
) -> AsyncGenerator[SubscribeResponse]:
    """Yields that the group was joined, and then its events; an empty response after each silence of `heartbeat`.

    The next events are taken only when those before have gone, so that a slow member costs no memory. What it had and
    did not answer is given back in the end.
    """
    news = asyncio.Event()
    forget = topics.watch(member, news.set)
    try:
        next_position = await topics.join(member, from_position)
        yield SubscribeResponse(group=member.group, next_position=next_position)
        loop = asyncio.get_running_loop()
        said_at = loop.time()
        while True:
            news.clear()
            taken = await topics.take(member, demand)
            if taken.events or taken.skipped:
                yield SubscribeResponse(events=taken.events, skipped_events=taken.skipped)
                said_at = loop.time()
            if taken.more:
                continue
            silence = said_at + heartbeat - loop.time()
            await _within(news, silence if taken.due_in is None else min(silence, taken.due_in))
            if loop.time() >= said_at + heartbeat:
                yield SubscribeResponse()
                said_at = loop.time()
    finally:
        forget()
        try:
            await topics.leave(member)
        except PenstockError as error:
            # What it had is redelivered all the same, when its time is over.
            _LOGGER.warning("could not give back what a stream of topic %s had: %s", member.topic, error)


async def _within(news: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()
