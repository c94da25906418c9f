"""Following a run from the command line, from its first event to its exit code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from penstock.cli.ask import client_at
from penstock.cli.exits import Exit
from penstock.cli.failure import at, attach_command, explain, explain_end
from penstock.cli.json_line import print_json
from penstock.cli.run_text import state_name
from penstock.cli.terminal import note
from penstock.cli.view import View, summary
from penstock.client import Client, PenstockError, RunEvent, RunState, RunStream, Transcript
from penstock.wire.status import from_status

Opening = Callable[[Client], Awaitable[RunStream]]


class Follower:
    """Follows one run, and knows at any moment where to go on from."""

    def __init__(self, address: str, *, as_json: bool) -> None:
        self._address = address
        self._transcript = Transcript()
        self._view = None if as_json else View(self._transcript)
        self._stream: RunStream | None = None
        self._after = 0
        self._last: RunEvent | None = None

    def follow(self, opening: Opening) -> Exit:
        """Prints the run to its end; Ctrl-C and a failed call leave the run as it is, and say how to go on."""
        try:
            asyncio.run(self._follow(opening))
        except KeyboardInterrupt:
            self._end_view()
            self._say_detached()
            return Exit.INTERRUPTED
        except PenstockError as error:
            self._end_view()
            explain(error, self._address, self._stream.cursor if self._stream and self._stream.begun else None)
            return Exit.CALL_FAILED
        return self._ended()

    async def _follow(self, opening: Opening) -> None:
        async with client_at(self._address) as client:
            self._stream = await opening(client)
            self._after = self._stream.cursor.after_sequence
            async with self._stream as stream:
                if self._view:
                    # A stream begins with a summary, and which text is the answer stands in the plan.
                    self._view.begin(stream.run if stream.run.plan.steps else await client.get_run(stream.run_id))
                async for event in stream:
                    self._last = event
                    if self._view:
                        self._view.show(event)
                    else:
                        self._transcript.consume(event)
                        print_json(event)
        self._end_view()

    def _ended(self) -> Exit:
        assert self._stream is not None  # it was followed to its end
        if self._last is None:
            run = self._stream.run
            note(f"{run.run_id} {state_name(run.state)} · no events after {self._after}")
            return Exit.OK if _succeeded(run.state) else Exit.RUN_NOT_SUCCEEDED
        note(summary(self._stream.run, self._last, self._transcript.tokens, self._after))
        if _succeeded(self._last.run_finished.state):
            return Exit.OK
        explain_end(self._stream.run_id, from_status(self._last.run_finished.error), self._address)
        return Exit.RUN_NOT_SUCCEEDED

    def _end_view(self) -> None:
        if self._view:
            self._view.end()

    def _say_detached(self) -> None:
        if self._stream is None or not self._stream.run_id:
            note(
                f"stopped before the run was acknowledged; `penstock runs{at(self._address)}` shows whether it is there"
            )
            return
        run_id, cursor = self._stream.run_id, self._stream.cursor
        print("", file=sys.stderr)
        note(f"the run goes on. Read on: {attach_command(run_id, self._address, cursor)}")
        note(f"         or end it: penstock cancel {run_id}{at(self._address)}")


def _succeeded(state: RunState) -> bool:
    return state == RunState.RUN_STATE_SUCCEEDED
