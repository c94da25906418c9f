"""What a caller writes to an intercepted call, as the iterator that interceptors expect."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any


class RequestFeed:
    """Hands each written message over before the next one is taken."""

    def __init__(self) -> None:
        self.closed = False
        self.abandoned = False
        self._messages: deque[Any] = deque()
        self._changed = asyncio.Event()

    async def put(self, message: Any) -> None:
        """Waits for the message before to be taken, or for the end of the call."""
        while self._messages and not self.abandoned:
            await self._change()
        if not self.abandoned:
            self._messages.append(message)
            self._announce()

    def close(self) -> None:
        """Says that no message follows."""
        self.closed = True
        self._announce()

    def abandon(self) -> None:
        """Lets everyone go: the call is over."""
        self.abandoned = True
        self._messages.clear()
        self._announce()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while not self._messages:
            if self.closed or self.abandoned:
                raise StopAsyncIteration
            await self._change()
        message = self._messages.popleft()
        self._announce()
        return message

    async def _change(self) -> None:
        await self._changed.wait()

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
