"""`penstock chat`: a conversation in the terminal."""

from typing import Annotated

import typer

from penstock.cli.complete import complete_session
from penstock.cli.options import DEFAULT_ADDRESS, Address, Agent, AsJson, Plain

CHAT_EXAMPLES = """Examples:

penstock chat --agent summarise

penstock chat --agent summarise --session tuesday

printf 'one\\ntwo\\n' | penstock chat --json | jq -rj '.token.text // empty'

A conversation that has a name goes on where it was left, from anywhere. With --json each line of stdout is one event \
of a turn's run.
"""


def chat(
    agent: Agent = None,
    session: Annotated[
        str,
        typer.Option(
            help="The conversation to go on with; none: a new one, whose name is told.",
            show_default=False,
            autocompletion=complete_session,
        ),
    ] = "",
    timeout: Annotated[str | None, typer.Option(help="Time for each answer, such as 30s or 5m.")] = None,
    plain: Plain = False,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Talk with an agent, turn by turn; the mesh remembers the conversation.

    Ctrl-C stops an answer and not the chat; at the prompt it clears the line.

    Ctrl-D or /exit leaves, /help tells more.

    Where stdin is no terminal, each of its lines is a turn.
    """
    import asyncio

    from penstock.cli.conversation import Conversation, open_conversation
    from penstock.cli.input import timeout_of

    seconds = timeout_of(timeout)
    with asyncio.Runner() as runner:
        name, messages = open_conversation(runner, address, agent, session)
        talk = Conversation(runner, address, name, seconds, as_json=as_json, plain=plain)
        raise typer.Exit(talk.hold(session, messages))
