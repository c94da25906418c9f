"""One command on its way to a server and back."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from hiredis import pack_command

from penstock.state.redis.identity import ServerIdentity
from penstock.state.redis.scripts import Reply, Script

Word = bytes | str | int | float

# Its own annotations speak of a tuple of one word.
pack: Final = cast("Callable[[tuple[Word, ...]], bytes]", pack_command)


class Order:
    """Represents a command, where it must go, and who waits for its answer.

    `slot` says who has its keys, `until` is the loop's time after which it is not tried again, `on` the only server
    that may run it (None: whoever has the slot), `waits` whether its answer waits for the replicas, and `asking`
    whether it goes to a server that is only about to get the slot.
    """

    __slots__ = ("_words", "asking", "future", "on", "read_only", "slot", "until", "waits")

    def __init__(
        self, future: asyncio.Future[Any], words: tuple[Word, ...], slot: int, until: float, *, read_only: bool
    ) -> None:
        self.future = future
        self.slot = slot
        self.until = until
        self.read_only = read_only
        self.on: ServerIdentity | None = None
        self.waits = False
        self.asking = False
        self._words = words

    def packed(self, known: set[str]) -> bytes:
        """Returns the command's bytes; `known` are the scripts that went through this connection."""
        return pack(self._words)

    def forget(self, known: set[str]) -> None:
        """Has the server told again what it says it does not know."""

    def answer(self, value: Any, server: ServerIdentity, *, replicated: bool) -> None:
        """Hands the answer to who waits for it."""
        if not self.future.done():
            self.future.set_result(value)

    def fail(self, error: Exception) -> None:
        """Tells who waits that there will be no answer."""
        if not self.future.done():
            self.future.set_exception(error)


class Aside(Order):
    """Represents a command of the connection's own, whose answer nobody waits for but `heard`; None: it failed."""

    __slots__ = ("_heard",)

    def __init__(self, loop: asyncio.AbstractEventLoop, words: tuple[Word, ...], heard: Callable[[Any], None]) -> None:
        super().__init__(loop.create_future(), words, -1, 0.0, read_only=True)
        self._heard = heard

    def answer(self, value: Any, server: ServerIdentity, *, replicated: bool) -> None:
        """See Order."""
        self._heard(value)

    def fail(self, error: Exception) -> None:
        """See Order."""
        self._heard(None)


class ScriptOrder(Order):
    """Represents a call of a script."""

    __slots__ = ("_script",)

    def __init__(
        self,
        future: asyncio.Future[Reply],
        script: Script,
        keys: Sequence[bytes],
        arguments: Sequence[Word],
        slot: int,
        until: float,
    ) -> None:
        super().__init__(future, (len(keys), *keys, *arguments), slot, until, read_only=script.read_only)
        self._script = script

    def packed(self, known: set[str]) -> bytes:
        """See Order; the script's text goes along the first time, and the server keeps it."""
        sha = self._script.sha
        if sha in known:
            return pack(("EVALSHA", sha, *self._words))
        known.add(sha)
        return pack(("EVAL", self._script.text, *self._words))

    def forget(self, known: set[str]) -> None:
        """See Order."""
        known.discard(self._script.sha)

    def answer(self, value: Any, server: ServerIdentity, *, replicated: bool) -> None:
        """See Order."""
        if not self.future.done():
            self.future.set_result(Reply(value, replicated, server))
