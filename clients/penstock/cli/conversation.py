"""A conversation with an agent: each line that is typed is a run of one session."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing, suppress
from typing import Final

import typer

from penstock.cli.amounts import count
from penstock.cli.ask import ask
from penstock.cli.exits import Exit
from penstock.cli.failure import at
from penstock.cli.follow import Follower, OnReconnect
from penstock.cli.patience import PATIENCE
from penstock.cli.prompt import Prompt
from penstock.cli.run_text import content_text
from penstock.cli.session_name import new_session_id
from penstock.cli.session_text import messages_lines
from penstock.cli.target import agent_of
from penstock.cli.terminal import line, note
from penstock.client import Client, RunStream, errors
from penstock.v1.session_pb2 import MessageRole, SessionMessage

HELP: Final = """\
/history  what was said so far
/new      begin another conversation
/exit     leave, as Ctrl-D does; the mesh keeps the conversation
//text    say a text that begins with a slash
Ctrl-C stops an answer, and clears the line that is being typed."""


class Conversation:
    """Holds a conversation: reads a turn, runs it, shows the answer, and so on until it is left."""

    def __init__(
        self, runner: asyncio.Runner, address: str, agent: str, timeout: float | None, *, as_json: bool, plain: bool
    ) -> None:
        self._runner = runner
        self._address = address
        self._agent = agent
        self._timeout = timeout
        self._as_json = as_json
        self._plain = plain
        self._session = ""
        self._prompt = Prompt()

    def hold(self, session: str, messages: list[SessionMessage]) -> Exit:
        """Talks until the end of the input; from a script, a call that fails ends it, and a failed run is told by 1."""
        self._begin(session, messages)
        if not self._prompt.interactive:
            return self._hold_script()
        try:
            for text in self._turns():
                self._answer(text)
        except KeyboardInterrupt:  # where no line and no answer was going on, as when Ctrl-D comes right after it
            print(file=sys.stderr)
        note(f"go on with\n  penstock chat --agent {self._agent} --session {self._session}{at(self._address)}")
        return Exit.OK

    def _hold_script(self) -> Exit:
        worst = Exit.OK
        for text in self._turns():
            ended = self._answer(text)
            if ended == Exit.CALL_FAILED:
                return ended
            worst = max(worst, ended)
        return worst

    def _begin(self, session: str, messages: list[SessionMessage]) -> None:
        self._session = session or new_session_id()
        so_far = f", {count(len(messages), 'message')} so far" if messages else ""
        help_too = "; /help tells more" if self._prompt.interactive else ""
        note(f"talking with {line(self._agent)} in session {line(self._session)}{so_far}{help_too}")
        said = [content_text(message.content) for message in messages if message.role == MessageRole.MESSAGE_ROLE_USER]
        self._prompt.remember(said)

    def _turns(self) -> Iterator[str]:
        """Yields what is to be said, and does what else is asked for; a line of blanks is nothing."""
        for text in self._prompt.lines():
            match text.split():
                case []:
                    continue
                case ["/exit" | "/quit"]:
                    return
                case ["/help"]:
                    note(HELP)
                case ["/history"]:
                    self._tell_history()
                case ["/new"]:
                    self._begin("", [])
                case [word, *_] if word.startswith("//"):
                    yield text.strip()[1:]
                case [word, *_] if word.startswith("/"):
                    note(f"there is no {line(word)}; /help tells what there is, //text says a text with a slash")
                case _:
                    yield text

    def _tell_history(self) -> None:
        with suppress(typer.Exit):  # a call that failed was explained, and the chat goes on
            messages = ask(self._address, lambda client: _messages(client, self._session), self._runner, PATIENCE)
            note("\n".join(messages_lines(messages)).strip() or "nothing yet")

    def _answer(self, text: str) -> Exit:
        async def start(client: Client, on_reconnect: OnReconnect) -> RunStream:
            return client.stream_run(
                text, on_reconnect=on_reconnect, agent=self._agent, session=self._session, timeout=self._timeout
            )

        # An answer that is stopped is cancelled: the chat can't go on before its run has ended.
        follower = Follower(self._runner, self._address, lambda run_id: True, as_json=self._as_json, plain=self._plain)
        return follower.follow(start)


def open_conversation(
    runner: asyncio.Runner, address: str, agent: str | None, session: str
) -> tuple[str, list[SessionMessage]]:
    """Returns which agent talks, and what was said before; a mesh that isn't there is told before the first word."""

    async def look(client: Client) -> tuple[str, list[SessionMessage]]:
        name = await agent_of(client, agent)
        return name, await _messages(client, session)

    return ask(address, look, runner, PATIENCE)


async def _messages(client: Client, session: str) -> list[SessionMessage]:
    """Returns a conversation's messages; none where there is no such conversation yet."""
    if not session:
        return []
    try:
        async with aclosing(client.list_messages(session)) as messages:
            return [message async for message in messages]
    except errors.NotFound:
        return []
