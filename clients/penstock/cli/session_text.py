"""Conversations as text: one as it was spoken, many as a table."""

from collections.abc import Iterator, Sequence

from penstock.cli.amounts import count, local_time
from penstock.cli.flow import flowed
from penstock.cli.recent_sessions import RecentSession
from penstock.cli.run_text import content_text, state_name
from penstock.cli.table import screen_width, table, wrapped
from penstock.cli.terminal import line, printable
from penstock.v1.session_pb2 import MessageRole, Session, SessionMessage

INDENT = "  "


def sessions_table(sessions: Sequence[RecentSession]) -> str:
    """Lays out conversations, one a line."""
    rows = [
        (
            line(session.session_id),
            f"{session.runs:,}",
            state_name(session.last.state),
            local_time(session.last_activity)[:16],
        )
        for session in sessions
    ]
    return table(("SESSION", "RUNS", "LAST STATE", "LAST ACTIVITY"), rows, screen_width())


def conversation_text(session: Session, messages: Sequence[SessionMessage]) -> str:
    """Writes a conversation: what there is to say of it, and its messages with their times."""
    facts = [count(session.next_index - session.first_index, "message")]
    if session.first_index:
        facts.append(f"{session.first_index:,} older not kept")
    if session.active_run_id:
        facts.append(f"{session.active_run_id} goes on")
    if session.queued_runs:
        facts.append(f"{count(session.queued_runs, 'run')} queued")
    facts.append(f"last changed {local_time(session.update_time)}")
    head = wrapped(f"session {line(session.session_id)}: {', '.join(facts)}", screen_width())
    return "\n".join([head, *messages_lines(messages)])


def messages_lines(messages: Sequence[SessionMessage]) -> Iterator[str]:
    """Gives the lines of messages: who spoke and when, and below it what was said."""
    width = screen_width()
    for message in messages:
        yield ""
        yield f"{role_name(message.role)}  {local_time(message.time)}"
        text = printable(content_text(message.content))
        lines = text.split("\n") if width is None else flowed(text, width - len(INDENT))
        yield from ((INDENT + said).rstrip() for said in lines)


def role_name(role: MessageRole) -> str:
    """Returns who speaks, such as `user`."""
    return MessageRole.Name(role).removeprefix("MESSAGE_ROLE_").lower()
