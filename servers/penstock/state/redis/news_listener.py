"""A subscription to one channel, made again whenever it is lost."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from hiredis import ReplyError

from penstock.state.redis.dial import NotConnected, dial_primary
from penstock.state.redis.link import Link
from penstock.state.redis.pipe import Pipe

_CONNECT_S: Final = 3.0
_PAUSE_S: Final = 0.1
_PING_S: Final = 0.25
SILENCE_S: Final = 0.75
"""Seconds without a sign of life after which one is no longer believed to be there."""


class Listener:
    """Hands on what is published on a channel.

        connecting ──── subscribed ───▶ listening ──── lost, silent, moved ───▶ connecting …

    `on_listening` is called each time it begins to listen, before the first message; `heard_at` is when, by the loop's
    time, the subscription last gave a sign of life.
    """

    def __init__(
        self, link: Link, channel: bytes, on_message: Callable[[bytes], None], on_listening: Callable[[], None]
    ) -> None:
        self.heard_at = 0.0
        self._link = link
        self._channel = channel
        self._on_message = on_message
        self._on_listening = on_listening

    async def keep(self, first: asyncio.Event) -> None:
        """Listens until cancelled; sets `first` when it does so for the first time."""
        while True:
            pipe = await self._connect()
            if pipe is not None:
                try:
                    await self._listen(pipe, first)
                finally:
                    pipe.close()
            await asyncio.sleep(_PAUSE_S)

    async def _connect(self) -> Pipe | None:
        endpoint = self._link.endpoint_of(self._channel)
        if endpoint is None:
            return None
        try:
            async with asyncio.timeout(_CONNECT_S):
                pipe, _ = await dial_primary(self._link.address, endpoint)
        except (NotConnected, TimeoutError):
            return None  # the link's own connection to the same server tells of it
        return pipe

    async def _listen(self, pipe: Pipe, first: asyncio.Event) -> None:
        listening = False

        def heard(reply: Any) -> None:
            nonlocal listening
            if listening:
                self.heard_at = pipe.heard_at
            if isinstance(reply, ReplyError):
                pipe.close()  # the slot has moved, or the right to listen is gone
                return
            match reply[0]:
                case b"smessage":
                    self._on_message(reply[2])
                case b"ssubscribe":
                    listening = True
                    self.heard_at = pipe.heard_at
                    self._on_listening()
                    first.set()
                case b"sunsubscribe":
                    pipe.close()

        pipe.on_push = heard
        pipe.say("SSUBSCRIBE", self._channel)
        loop = asyncio.get_running_loop()
        while loop.time() - pipe.heard_at < SILENCE_S:
            try:
                async with asyncio.timeout(_PING_S):
                    await pipe.lost.wait()
                return
            except TimeoutError:
                pipe.say("PING")
