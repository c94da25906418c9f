"""`penstock sessions`: conversations, listed, shown and deleted."""

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.complete import complete_session
from penstock.cli.options import DEFAULT_ADDRESS, Address, AsJson

if TYPE_CHECKING:
    from penstock.cli.recent_sessions import Recent
    from penstock.client import Client
    from penstock.v1.session_pb2 import Session, SessionMessage

SESSIONS_EXAMPLES = """Examples:

penstock sessions

penstock sessions tuesday

penstock sessions tuesday --json | jq -r '.content[].text'

penstock sessions tuesday --delete
"""


def sessions(
    session_id: Annotated[
        str | None,
        typer.Argument(
            help="The conversation to show; none: list the recent ones.",
            metavar="[SESSION_ID]",
            show_default=False,
            autocompletion=complete_session,
        ),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the conversation; its runs stay.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    limit: Annotated[int, typer.Option(help="The list is made from so many of the newest runs.", min=1)] = 1000,
    as_json: AsJson = False,
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """List the conversations of the newest runs, show one with its messages, or delete one."""
    if session_id is None:
        if delete:
            raise typer.BadParameter("say which: penstock sessions SESSION_ID --delete", param_hint="--delete")
        _list(limit, as_json, address)
    elif delete:
        _delete(session_id, yes, as_json, address)
    else:
        _show(session_id, as_json, address)


def _list(limit: int, as_json: bool, address: str) -> None:
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json_object
    from penstock.cli.recent_sessions import gather
    from penstock.cli.run_text import state_name
    from penstock.cli.session_text import sessions_table
    from penstock.cli.terminal import note

    async def recent(client: "Client") -> "Recent":
        async with aclosing(client.list_runs(page_size=min(limit, 1000))) as runs:
            return await gather(runs, limit)

    found = ask(address, recent)
    if as_json:
        for session in found.sessions:
            members = {
                "session_id": session.session_id,
                "runs": session.runs,
                "last_run_id": session.last.run_id,
                "last_state": state_name(session.last.state),
                "last_activity": session.last_activity.ToJsonString(),
            }
            print_json_object(members)
    else:
        typer.echo(sessions_table(found.sessions) if found.sessions else "no conversations")
        if found.looked_at == limit:
            note(f"from the newest {limit:,} runs; --limit looks at more")


def _show(session_id: str, as_json: bool, address: str) -> None:
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json
    from penstock.cli.session_text import conversation_text

    async def read(client: "Client") -> "tuple[Session, list[SessionMessage]]":
        session = await client.get_session(session_id)
        async with aclosing(client.list_messages(session_id)) as messages:
            return session, [message async for message in messages]

    session, messages = ask(address, read)
    if as_json:
        for message in messages:
            print_json(message)
    else:
        typer.echo(conversation_text(session, messages))


def _delete(session_id: str, yes: bool, as_json: bool, address: str) -> None:
    from penstock.cli.ask import ask
    from penstock.cli.json_line import print_json_object
    from penstock.cli.terminal import can_ask, line

    if not yes:
        if not can_ask():
            raise typer.BadParameter("add --yes where nobody can be asked", param_hint="--delete")
        if not typer.confirm(f"Delete the conversation {line(session_id)} and its messages?", err=True):
            raise typer.Exit(1)

    async def drop(client: "Client") -> bool:
        return await client.delete_session(session_id)

    deleted = ask(address, drop)
    if as_json:
        print_json_object({"session_id": session_id, "deleted": deleted})
    else:
        typer.echo(f"{line(session_id)} is deleted" if deleted else f"there was no {line(session_id)}")
