"""Following a run from the command line, from its first event to its exit code."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from errno import EPIPE
from typing import Final

from penstock.cli.ask import client_at
from penstock.cli.event_text import summary
from penstock.cli.exits import Exit
from penstock.cli.failure import at, attach_command, explain, explain_end
from penstock.cli.interrupt import wants_cancel
from penstock.cli.run_text import state_name
from penstock.cli.table import screen_width, wrapped
from penstock.cli.terminal import line, note
from penstock.cli.watch import view_of
from penstock.client import (
    Client,
    Cursor,
    PenstockError,
    Reconnecting,
    RunEvent,
    RunState,
    RunStream,
    Transcript,
    Usage,
)
from penstock.wire.status import from_status

OnReconnect = Callable[[Reconnecting], None]
Opening = Callable[[Client, OnReconnect], Awaitable[RunStream]]
Interrupted = Callable[[str], bool]
"""Decides, for a run by its id, whether Ctrl-C shall cancel it."""


# Of a mesh that just comes up, the first refusals are no news.
QUIET_ATTEMPTS: Final = 4


def follow_run(address: str, opening: Opening, *, as_json: bool, plain: bool) -> Exit:
    """Shows a run to its end; at Ctrl-C asks whether it shall be cancelled."""
    with asyncio.Runner() as runner:
        return Follower(runner, address, wants_cancel, as_json=as_json, plain=plain).follow(opening)


class Follower:
    """Follows one run, and knows at any moment where to go on from."""

    def __init__(
        self, runner: asyncio.Runner, address: str, interrupted: Interrupted, *, as_json: bool, plain: bool
    ) -> None:
        self._runner = runner
        self._address = address
        self._interrupted = interrupted
        self._transcript = Transcript()
        self._view = view_of(self._transcript, as_json=as_json, plain=plain)
        self._stream: RunStream | None = None
        self._after: int | None = None
        self._usage = Usage()
        self._last: RunEvent | None = None
        self._cancels = False

    def follow(self, opening: Opening) -> Exit:
        """Shows the run to its end; a failed call leaves the run as it is, and says how to go on.

        At the first Ctrl-C the run is cancelled and shown to its end if that is wanted; else, and at the second, it is
        left going.
        """
        try:
            try:
                self._runner.run(self._follow(opening))
            except KeyboardInterrupt:
                self._view.pause()
                if not self._run_id or not self._interrupted(self._run_id):
                    raise
                self._cancels = True
                self._runner.run(self._follow(self._cancelled))
        except KeyboardInterrupt:
            self._view.end()
            self._say_detached(self._stream.cursor if self._stream else None)
            return Exit.INTERRUPTED
        except PenstockError as error:
            self._view.end()
            explain(error, self._address, self._stream.cursor if self._stream and self._stream.begun else None)
            return Exit.CALL_FAILED
        except OSError as error:
            with suppress(OSError):
                self._view.pause()
            # What was to be printed is lost, on a full disk for one; the run is not.
            if error.errno != EPIPE:
                self._say_detached(None)
            raise
        except BaseException:
            self._view.pause()
            raise
        self._view.end()
        return self._ended()

    @property
    def _run_id(self) -> str:
        return self._stream.run_id if self._stream else ""

    async def _follow(self, opening: Opening) -> None:
        async with client_at(self._address) as client:
            self._stream = await opening(client, self._reconnecting)
            if self._after is None:
                self._after = self._stream.cursor.after_sequence
            async with self._stream as stream:
                # A stream begins with a summary, and which text is the answer stands in the plan.
                self._view.begin(stream.run if stream.run.plan.steps else await client.get_run(stream.run_id))
                async for event in stream:
                    self._last = event
                    if event.HasField("usage"):
                        _add(self._usage, event.usage)
                    self._view.show(event)

    async def _cancelled(self, client: Client, on_reconnect: OnReconnect) -> RunStream:
        assert self._stream is not None  # its run was interrupted
        run_id, cursor = self._stream.run_id, self._stream.cursor
        await client.cancel_run(run_id, "Ctrl-C on the command line")
        return client.attach_run(run_id, cursor.after_sequence, cursor.generation, on_reconnect=on_reconnect)

    def _reconnecting(self, lost: Reconnecting) -> None:
        begun = self._stream is not None and self._stream.begun
        if begun and lost.attempt == 1:
            text = f"connection lost; attaching again after event {lost.cursor.after_sequence} …"
            self._view.say(text, self._is_attached)
        elif not begun and lost.attempt == QUIET_ATTEMPTS:
            self._view.say(f"no answer yet ({line(lost.error.message, None)}); asking again …", self._is_attached)

    def _is_attached(self) -> bool:
        return self._stream is not None and self._stream.attached

    def _ended(self) -> Exit:
        assert self._stream is not None  # it was followed to its end
        if self._last is None:
            run = self._stream.run
            note(f"{run.run_id} {state_name(run.state)} · no events after {self._after}")
            return Exit.OK if _succeeded(run.state) else Exit.RUN_NOT_SUCCEEDED
        usage = None if self._after else self._usage  # of what was used before, nothing is known here
        said = summary(self._stream.run, self._last, self._transcript.tokens, self._after or 0, usage)
        note(wrapped(said, screen_width()))
        state = self._last.run_finished.state
        if _succeeded(state):
            return Exit.OK
        if not (self._cancels and state == RunState.RUN_STATE_CANCELLED):  # who cancelled it knows why it ended
            explain_end(self._run_id, from_status(self._last.run_finished.error), self._address)
        return Exit.RUN_NOT_SUCCEEDED

    def _say_detached(self, cursor: Cursor | None) -> None:
        if self._stream is None or not self._run_id:
            note(
                f"stopped before the run was acknowledged; `penstock runs{at(self._address)}` shows whether it is there"
            )
            return
        state = "the run was asked to end, and may still go on" if self._cancels else "the run goes on"
        note(f"\n{state}. Read on with\n  {attach_command(self._run_id, self._address, cursor)}")
        note(f"or end it with\n  penstock cancel {self._run_id}{at(self._address)}")


def _succeeded(state: RunState) -> bool:
    return state == RunState.RUN_STATE_SUCCEEDED


def _add(total: Usage, more: Usage) -> None:
    for counted in Usage.DESCRIPTOR.fields:
        setattr(total, counted.name, getattr(total, counted.name) + getattr(more, counted.name))
