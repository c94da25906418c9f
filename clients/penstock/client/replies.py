"""Requests over topics, and the replies that come back to one address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from penstock.client.event import Event, Publish
from penstock.client.subscription import Subscription
from penstock.v1.event_pb2 import TopicEvent
from penstock.wire.errors import DeadlineExceeded, PenstockError
from penstock.wire.ids import random_id

_PREFIX: Final = "reply."


class _Waiter:
    """Stands for one request; `news` is set when there is a reply or a failure, or when its turn to read has come."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.idle = False
        self.reply: Event | None = None
        self.failure: PenstockError | None = None


class Replies:
    """Sends a client's requests and hands each its reply.

    All that are under way share one subscription to an address of the client's own, of which always one of them reads
    for all. It ends with the last of them, so that between requests nothing is open, here or there.
    """

    def __init__(self, subscribe: Callable[[str], Subscription], publish: Publish) -> None:
        self._subscribe = subscribe
        self._publish = publish
        self._address = f"{_PREFIX}{random_id('client')}"
        self._waiting: dict[str, _Waiter] = {}
        self._subscription: Subscription | None = None
        self._opening = asyncio.Lock()
        self._read_by: _Waiter | None = None

    async def ask(self, topic: str, request: TopicEvent, timeout: float) -> Event:
        """Publishes a request and returns its reply; raises DeadlineExceeded when none has come in time."""
        correlation_id = request.correlation_id = random_id("ask")
        request.reply_topic = self._address
        waiter = self._waiting[correlation_id] = _Waiter()
        try:
            async with asyncio.timeout(timeout):
                replies = await self._opened()
                await self._publish(topic, request)
                return await self._reply(waiter, replies)
        except TimeoutError:
            text = f"no reply to a request on topic {topic!r} within {timeout:g} s"
            facts = {"topic": topic, "event_id": request.event_id}
            raise DeadlineExceeded(text, reason="NO_REPLY", metadata=facts) from None
        finally:
            del self._waiting[correlation_id]
            if self._waiting:
                self._pass_on(waiter)
            else:
                await self._close()

    async def _opened(self) -> Subscription:
        async with self._opening:
            if self._subscription is None:
                self._subscription = await self._subscribe(self._address).__aenter__()
            return self._subscription

    async def _close(self) -> None:
        subscription, self._subscription, self._read_by = self._subscription, None, None
        if subscription is not None:
            await subscription.aclose()

    async def _reply(self, waiter: _Waiter, replies: Subscription) -> Event:
        while waiter.reply is None:
            if waiter.failure is not None:
                raise waiter.failure
            if self._read_by in (None, waiter):
                self._read_by = waiter
                await self._read(replies)
                continue
            waiter.idle = True
            await waiter.news.wait()
            waiter.idle = False
            waiter.news.clear()
        return waiter.reply

    async def _read(self, replies: Subscription) -> None:
        """Reads one event, for whomever it is; one for nobody comes too late, and is done with."""
        try:
            event = await anext(replies)
        except PenstockError as error:
            self._subscription = None
            for other in self._waiting.values():
                other.failure = other.failure or error
                other.news.set()
            return
        waiter = self._waiting.get(event.delivered.event.correlation_id)
        if waiter is not None:
            waiter.reply = event
            waiter.news.set()

    def _pass_on(self, waiter: _Waiter) -> None:
        """Has another one read, when this one did."""
        if self._read_by is not waiter:
            return
        self._read_by = None  # those who are still publishing look for themselves when they come to wait
        for other in self._waiting.values():
            if other.idle:
                self._read_by = other
                other.news.set()
                return
