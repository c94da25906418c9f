"""The contract between `StateAdminService` and whatever keeps the data: what takes a look at a store as a whole.

Reading and comparing records goes through the stores' ordinary contracts, the same for every store (`exporting` and
`importing`); here is what those can't say: which records there are over all tenants, and writing them as they were.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from penstock.v1.state_admin_pb2 import (
    CheckStoreResponse,
    ExportedEvents,
    ExportedMessages,
    ExportedRun,
    ExportedSession,
    ExportedTopic,
    ExportedTopicEvents,
    ExportedValue,
    GetStoreStatsResponse,
    VacuumStoreResponse,
)

if TYPE_CHECKING:
    from penstock.state.stores import Page  # which itself names this contract


class RecordKind(Enum):
    """Names a kind of record, in the order in which an export has them."""

    VALUE = "values"
    SESSION = "sessions"
    RUN = "runs"
    TOPIC = "topics"


@dataclass(frozen=True, slots=True)
class RecordName:
    """Represents the full name of a record, and its place in the list of its kind."""

    tenant: str
    name: str
    place: bytes


class StoreCare(Protocol):
    """Looks at a store as a whole, over all tenants, while it serves."""

    def now_us(self) -> int:
        """Returns the store's time in microseconds since 1970."""

    async def stats(self) -> GetStoreStatsResponse:
        """Returns what the store holds; costs no more than counting."""

    def check(self) -> AsyncGenerator[CheckStoreResponse]:
        """Looks for damage, in pieces that hold nobody up; yields at least every few seconds, `complete` at last."""

    def vacuum(self) -> AsyncGenerator[VacuumStoreResponse]:
        """Gives unused space back, in pieces that hold nobody up, and yields after each."""

    async def names(self, kind: RecordKind, after: bytes, limit: int) -> Page[RecordName]:
        """Lists records in an order that stays as it is: runs of a tenant by their creation, all others as they come.

        `after` is the place of the last one seen; empty: from the first. What is added meanwhile may be left out.
        """

    async def run(self, tenant: str, run_id: str) -> ExportedRun | None:
        """Returns a run as it stands, without its owner; None: there is no such run.

        Its record has run (with plan, input, output and last sequence), spec (without those), steps, checkpoints,
        pending signals and all else; `durable_sequence` is its last.
        """

    async def topic(self, tenant: str, topic: str) -> ExportedTopic | None:
        """Returns a topic with its lasting groups; None: there is no such topic."""

    async def topic_events(self, tenant: str, topic: str, after: int, max_bytes: int) -> ExportedTopicEvents:
        """Returns the kept events after a position, at least one if there is one."""

    async def add_value(self, value: ExportedValue) -> bool:
        """Writes a value with its version and times; False: there is one, or a newer one was deleted there, and nothing
        was changed.

        The versions that follow are higher, also when another one stood there before and was deleted.
        """

    async def add_session(self, session: ExportedSession) -> bool:
        """Makes a session with its times, data and `first_index`, its messages apart; False: there is one.

        `next_index` is that of its first message then, and grows as they come.
        """

    async def forward_session(self, session: ExportedSession) -> None:
        """Gives a session that was added before data and times that are newer.

        Where it begins behind all messages that are there, because they were cut, these go, and it goes on from there.
        """

    async def add_messages(self, messages: ExportedMessages) -> None:
        """Appends messages with their times; they begin at the session's `next_index`."""

    async def add_events(self, events: ExportedEvents) -> bool:
        """Keeps a piece of the log of a run that is not there yet, unseen until the run is added.

        A piece that does not follow what is kept of the run replaces it, unless it is older: then nothing is changed,
        and the answer is False. What no run claims within a day is dropped.
        """

    async def add_run(self, run: ExportedRun) -> None:
        """Makes a run with the events that were kept for it, all at once, claimable if it has a turn and no end.

        Raises FailedPrecondition when its events are not all there, or when it is going on and its session is busy
        with another run.
        """

    async def add_topic(self, topic: ExportedTopic) -> bool:
        """Makes a topic with its groups and without its events; False: there is one."""

    async def add_topic_events(self, events: ExportedTopicEvents) -> bool:
        """Adds events with their positions and times, in their order; False: some are there, or others behind them."""
