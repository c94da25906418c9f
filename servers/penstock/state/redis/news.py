"""News between state processes: what one has written, the others hear of at once, or learn that they have missed it."""

import asyncio
import secrets
import struct
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from penstock.state.redis.background import Background, background
from penstock.state.redis.faults import RedisRefused
from penstock.state.redis.keys import Tag
from penstock.state.redis.link import Link
from penstock.state.redis.news_listener import SILENCE_S, Listener
from penstock.wire.errors import PenstockError

RUNS: Final = b"r"
"""News of runs: what was appended, and who may be claimed."""
TOPICS: Final = b"t"
"""News of topics."""

_BEAT: Final = b"+"
_END: Final = b"-"
_HEAD: Final = struct.Struct(">8sQc")
_BEAT_S: Final = 0.25
_FORGET_S: Final = 60.0
_START_S: Final = 5.0
# Hash tags of which each lies in another quarter of the slots, so that one lost primary does not silence everybody.
_CHANNELS: Final = (b"news-0", b"news-1", b"news-2", b"news-3")

OnNews = Callable[[bytes, bytes], None]
"""Takes the publisher's name and what it published."""
OnDoubt = Callable[[], None]
"""Hears that news may have been missed: look once at all that you follow."""


@dataclass(slots=True)
class _Publisher:
    """Represents another process: the number of its last message, and when it was heard last."""

    count: int
    heard_at: float
    silent: bool = False


class News:
    """Publishes, and hears what others publish.

    Messages of a publisher are numbered and arrive in order; each beat repeats the last number. A gap, a silence of
    `SILENCE_S`, and a subscription that was renewed raise doubt; while a subscription is down, doubt is raised again
    and again. So whoever looks at what it follows whenever in doubt sees all within a second.
    """

    def __init__(self, link: Link) -> None:
        self.name = secrets.token_bytes(8)
        self._link = link
        begin = link.keys.plain("")
        self._channels = [Tag(b"%b{%b}:" % (begin, tag)).key("news") for tag in _CHANNELS]
        if not link.is_cluster:
            del self._channels[1:]
        self._channel = secrets.randbelow(len(self._channels))
        self._count = 0
        self._said_at = 0.0
        self._unanswered: dict[asyncio.Future[object], float] = {}
        self._others: dict[bytes, _Publisher] = {}
        self._on_news: defaultdict[bytes, list[OnNews]] = defaultdict(list)
        self._on_doubt: list[OnDoubt] = []
        self._in_doubt = False
        self._loop = asyncio.get_running_loop()
        self._listeners = [Listener(link, channel, self._hear, self._doubt) for channel in self._channels]

    def publish(self, kind: bytes, payload: bytes) -> None:
        """Tells all others; does not wait, and does not fail."""
        self._count += 1
        self._say(kind, payload)

    def miss(self) -> None:
        """Has all, here and elsewhere, look again: something may have been done that nobody can tell of.

        The number that is left out tells the others, with the next message or beat.
        """
        self._count += 1
        self._doubt()

    def subscribe(self, kind: bytes, on_news: OnNews, on_doubt: OnDoubt) -> Callable[[], None]:
        """Hears the others' news of one kind; returns what ends that."""
        self._on_news[kind].append(on_news)
        self._on_doubt.append(on_doubt)

        def end() -> None:
            self._on_news[kind].remove(on_news)
            self._on_doubt.remove(on_doubt)

        return end

    def _say(self, kind: bytes, payload: bytes = b"") -> asyncio.Future[object]:
        self._said_at = self._loop.time()
        channel = self._channels[self._channel]
        message = _HEAD.pack(self.name, self._count, kind) + payload
        said: asyncio.Future[object] = self._link.call("SPUBLISH", channel, message, key=channel)
        self._unanswered[said] = self._said_at
        said.add_done_callback(self._said)
        return said

    def _said(self, future: asyncio.Future[object]) -> None:
        self._unanswered.pop(future, None)
        if not future.cancelled():
            future.exception()  # who missed it finds out by the numbers

    def _hear(self, message: bytes) -> None:
        name, count, kind = _HEAD.unpack_from(message)
        if name == self.name:
            return
        now = self._loop.time()
        other = self._others.get(name)
        expected = count if kind in (_BEAT, _END) else count - 1
        if other is None:
            other = self._others[name] = _Publisher(0, now)
        if other.count < expected:
            self._doubt()
        other.count = max(other.count, count)
        other.heard_at = now
        other.silent = False
        if kind == _END:
            del self._others[name]
        elif kind != _BEAT:
            payload = message[_HEAD.size :]
            for on_news in self._on_news[kind]:
                on_news(name, payload)

    def _doubt(self) -> None:
        """Raises doubt once for all that gives cause to it in this turn of the loop."""
        if not self._in_doubt:
            self._in_doubt = True
            self._loop.call_soon(self._tell_doubt)

    def _tell_doubt(self) -> None:
        self._in_doubt = False
        for on_doubt in list(self._on_doubt):
            on_doubt()

    async def _listen(self, tasks: Background) -> None:
        begun = [asyncio.Event() for _ in self._listeners]
        for listener, event in zip(self._listeners, begun, strict=True):
            tasks.start(listener.keep(event))
        tasks.start(self._tend())
        try:
            async with asyncio.timeout(_START_S):
                for event in begun:
                    await event.wait()
        except TimeoutError:
            pass  # the store works all the same: while a subscription is down, doubt takes its place

    async def _tend(self) -> None:
        """Beats, and watches for silence, four times a second."""
        doubted_at = self._loop.time()
        while True:
            now = self._loop.time()
            oldest = next(iter(self._unanswered.values()), now)
            if now - oldest > _BEAT_S:
                # The server is away or slow: another may carry the number, which tells the others what they missed.
                self._channel = (self._channel + 1) % len(self._channels)
                self._unanswered.clear()
                self._say(_BEAT)
            elif now - self._said_at > 0.9 * _BEAT_S:
                self._say(_BEAT)
            self._look_for_silence(now)
            heard_at = min(listener.heard_at for listener in self._listeners)
            if now - max(heard_at, doubted_at) > SILENCE_S:
                self._doubt()
                doubted_at = now
            await asyncio.sleep(_BEAT_S)

    def _look_for_silence(self, now: float) -> None:
        for name, other in list(self._others.items()):
            if now - other.heard_at > _FORGET_S:
                del self._others[name]
            elif now - other.heard_at > SILENCE_S and not other.silent:
                other.silent = True
                self._doubt()

    async def _end(self) -> None:
        """Says goodbye, so that nobody takes this for a failure."""
        try:
            async with asyncio.timeout(_BEAT_S):
                await self._say(_END)
        except (PenstockError, RedisRefused, TimeoutError):
            pass  # they will find out by the silence


@asynccontextmanager
async def open_news(link: Link) -> AsyncGenerator[News]:
    """Publishes and listens for the block."""
    news = News(link)
    async with background() as tasks:
        await news._listen(tasks)
        try:
            yield news
        finally:
            await news._end()
