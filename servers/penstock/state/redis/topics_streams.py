"""The streams that this process serves, and who is woken by what."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from penstock.state.redis.keys import mark
from penstock.state.redis.news import TOPICS, News
from penstock.state.topic_store import Member

Wake = Callable[[], None]

_MARK_BYTES: Final = 16


@dataclass(slots=True, eq=False)
class _Stream:
    member: Member
    names: tuple[bytes, ...]
    wake: Wake | None = None


class Streams:
    """Wakes streams by what they listen to: their topic, their group, or themselves.

    What one process wakes, all others wake too; they hear of all that happened in one turn of the loop by one message.
    """

    def __init__(self, news: News) -> None:
        self._news = news
        self._streams: dict[Member, _Stream] = {}
        self._by_name: defaultdict[bytes, dict[_Stream, None]] = defaultdict(dict)
        self._happened: dict[bytes, None] = {}
        self._loop = asyncio.get_running_loop()
        news.subscribe(TOPICS, self._hear, self._wake_all)

    @property
    def members(self) -> list[Member]:
        """The streams that have joined and not left."""
        return list(self._streams)

    def add(self, member: Member) -> None:
        """Takes a stream in."""
        self._stream(member)

    def remove(self, member: Member) -> None:
        """Lets a stream go."""
        stream = self._streams.pop(member, None)
        if stream is None:
            return
        for name in stream.names:
            listening = self._by_name[name]
            listening.pop(stream, None)
            if not listening:
                del self._by_name[name]

    def watch(self, member: Member, wake: Wake) -> Wake:
        """Has `wake` called when a stream may have more; returns what ends that."""
        stream = self._stream(member)
        stream.wake = wake

        def forget() -> None:
            stream.wake = None

        return forget

    def topic_has_more(self, tenant: str, topic: str) -> None:
        """Wakes the streams of a topic."""
        self._happen(_topic(tenant, topic))

    def group_has_more(self, tenant: str, topic: str, group: str) -> None:
        """Wakes the streams of a group."""
        self._happen(_group(tenant, topic, group))

    def stream_has_room(self, stream: str) -> None:
        """Wakes a stream; nobody else, when it is here."""
        name = _own(stream)
        if name in self._by_name:
            self._wake(name)
        else:
            self._happen(name)

    def _stream(self, member: Member) -> _Stream:
        stream = self._streams.get(member)
        if stream is None:
            names = (
                _topic(member.tenant, member.topic),
                _group(member.tenant, member.topic, member.group),
                _own(member.stream),
            )
            stream = self._streams[member] = _Stream(member, names)
            for name in names:
                self._by_name[name][stream] = None
        return stream

    def _happen(self, name: bytes) -> None:
        if not self._happened:
            self._loop.call_soon(self._tell)
        self._happened[name] = None

    def _tell(self) -> None:
        happened, self._happened = self._happened, {}
        self._news.publish(TOPICS, b"".join(happened))
        for name in happened:
            self._wake(name)

    def _hear(self, publisher: bytes, payload: bytes) -> None:
        for begin in range(0, len(payload), _MARK_BYTES):
            self._wake(payload[begin : begin + _MARK_BYTES])

    def _wake(self, name: bytes) -> None:
        for stream in self._by_name.get(name, ()):
            if stream.wake is not None:
                stream.wake()

    def _wake_all(self) -> None:
        for stream in self._streams.values():
            if stream.wake is not None:
                stream.wake()


def _topic(tenant: str, topic: str) -> bytes:
    return bytes.fromhex(mark("topic", tenant, topic).decode())


def _group(tenant: str, topic: str, group: str) -> bytes:
    return bytes.fromhex(mark("group", tenant, topic, group).decode())


def _own(stream: str) -> bytes:
    return bytes.fromhex(mark("stream", stream).decode())
