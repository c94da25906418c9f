"""A session's earlier messages, as an agent sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from penstock.executor.contents import to_text, to_value
from penstock.v1 import session_pb2

if TYPE_CHECKING:
    from penstock.v1.session_pb2_grpc import SessionServiceAsyncStub

_ROLE_PREFIX: Final = "MESSAGE_ROLE_"
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Message:
    """Represents one message of a conversation.

    `role` is "system", "user", "assistant", "tool" or "note"; `content` has text as str and JSON as Python values,
    `text` is all of it as one text.
    """

    role: str
    text: str
    content: tuple[Any, ...] = ()
    message_id: str = ""
    run_id: str = ""
    index: int = 0
    time: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Extent:
    """Represents the part of a session that is an agent's history: from an index to before another (None: the end)."""

    first_index: int = 0
    before_index: int | None = None


async def read_history(
    sessions: SessionServiceAsyncStub, tenant: str, session_id: str, extent: Extent, most: int
) -> tuple[Message, ...]:
    """Returns the newest messages of an extent, oldest first; at most so many, cut between turns."""
    newest: list[session_pb2.SessionMessage] = []
    before_index = extent.before_index
    more = before_index is None or before_index > extent.first_index
    while more and len(newest) < most:
        request = session_pb2.ReadMessagesRequest(
            tenant=tenant,
            session_id=session_id,
            from_index=extent.first_index,
            before_index=before_index,
            page_size=min(most - len(newest), _PAGE),
            newest_first=True,
        )
        page = await sessions.ReadMessages(request)
        newest.extend(page.messages)
        more = page.more and bool(page.messages)
        before_index = newest[-1].index if newest else 0
    if more:
        newest = _without_broken_turn(newest)
    return tuple(_message(message) for message in reversed(newest))


def _without_broken_turn(newest: list[session_pb2.SessionMessage]) -> list[session_pb2.SessionMessage]:
    # What was cut may belong to the same turn as the oldest message left; an answer without its question misleads.
    oldest = newest[-1].run_id
    whole = [message for message in newest if not oldest or message.run_id != oldest]
    return whole or newest


def _message(message: session_pb2.SessionMessage) -> Message:
    return Message(
        role=session_pb2.MessageRole.Name(message.role).removeprefix(_ROLE_PREFIX).lower(),
        text=to_text(message.content),
        content=tuple(to_value(part) for part in message.content),
        message_id=message.message_id,
        run_id=message.run_id,
        index=message.index,
        time=message.time.ToDatetime(UTC) if message.HasField("time") else None,
        metadata=MappingProxyType(dict(message.metadata)),
    )
