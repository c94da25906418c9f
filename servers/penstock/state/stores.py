"""The contracts between the state layer's services and whatever keeps its data.

A store answers in the messages of the public contract. It may trust that requests are well formed; what it decides
(fences, versions, whose turn it is) it decides atomically. Every write is durable once awaited.
"""

from asyncio import Future
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from penstock.state.care import StoreCare
from penstock.state.limit_store import LimitStore
from penstock.state.topic_store import TopicStore
from penstock.v1.ownership_pb2 import ClaimedRun, RenewLeaseResponse, SendSignalRequest, SendSignalResponse
from penstock.v1.run_event_pb2 import RunEvent
from penstock.v1.run_log_pb2 import (
    AppendEventsEntry,
    AppendEventsResult,
    PendingSignal,
    RecordRunsEntry,
    RecordRunsResult,
    RunRecord,
)
from penstock.v1.run_pb2 import Run, RunState
from penstock.v1.session_pb2 import (
    AppendMessagesRequest,
    AppendMessagesResponse,
    DropOutcome,
    ReadMessagesRequest,
    ReadMessagesResponse,
    Session,
    UpdateSessionRequest,
    UpdateSessionResponse,
)
from penstock.v1.state_pb2 import (
    CompareAndSetValueRequest,
    CompareAndSetValueResponse,
    DeleteValueRequest,
    DeleteValueResponse,
    SetValueRequest,
    StoredValue,
)

T = TypeVar("T")


class ValueStore(Protocol):
    """Keeps values; each key is linearizable."""

    async def get(self, tenant: str, key: str) -> StoredValue | None:
        """Returns a value that has not expired; None: there is none."""

    def set(self, request: SetValueRequest) -> Awaitable[int]:
        """Writes a value and returns its version."""

    def delete(self, request: DeleteValueRequest) -> Awaitable[DeleteValueResponse]:
        """Deletes a value, if it has the version asked for."""

    def compare_and_set(self, request: CompareAndSetValueRequest) -> Awaitable[CompareAndSetValueResponse]:
        """Writes a value if the precondition holds."""

    async def list(self, tenant: str, query: "ValueQuery") -> "Page[StoredValue]":
        """Returns values in the byte order of their keys."""


@dataclass(frozen=True, slots=True)
class ValueQuery:
    """Says which values are wanted: those with the prefix, after a key (empty: from the first), at most `limit`."""

    prefix: bytes
    after: bytes
    limit: int
    keys_only: bool
    max_bytes: int


class SessionStore(Protocol):
    """Keeps conversations."""

    async def read(self, tenant: str, session_id: str) -> Session | None:
        """Returns a session without its messages; None: there is none."""

    def update(self, request: UpdateSessionRequest) -> Awaitable[UpdateSessionResponse]:
        """Writes the free data if its version is the expected one."""

    def append(self, request: AppendMessagesRequest) -> Awaitable[AppendMessagesResponse]:
        """Appends messages, all or none, those apart that are there."""

    async def messages(self, request: ReadMessagesRequest, limit: int, max_bytes: int) -> ReadMessagesResponse:
        """Returns messages by index: at most `limit`, and at least one even if it has more than `max_bytes`."""

    def drop(self, tenant: str, session_id: str) -> Awaitable[DropOutcome]:
        """Deletes a session unless a run of it is not terminal."""


class RunStore(Protocol):
    """Keeps runs and their logs."""

    def record(self, entry: RecordRunsEntry) -> Future[RecordRunsResult]:
        """Creates a run, or returns the one that is there.

        Raises FailedPrecondition or InvalidArgument when it can't be kept as asked.
        """

    def append(self, entry: AppendEventsEntry) -> Future[AppendEventsResult]:
        """Puts an entry into its run's log, in the order of the calls; raises Refused when the log does not take it."""

    async def read(self, tenant: str, run_id: str, *, run_only: bool) -> RunRecord | None:
        """Returns a run's record; None: there is no such run."""

    async def find(self, query: "RunQuery") -> "Page[Run]":
        """Returns runs, newest first, without plan, input and output."""

    async def open_log(self, tenant: str, run_id: str) -> "RunLog | None":
        """Opens a run's log for reading; None: there is no such run."""


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Says which runs are wanted; empty conditions hold for all. Times are microseconds since 1970.

    `before` is the place of the last run of the page before; 0: begin with the newest.
    """

    tenant: str
    before: int
    limit: int
    session_id: str
    states: Sequence[RunState]
    labels: Mapping[str, str]
    created_from_us: int | None
    created_until_us: int | None
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Represents a page of a list; `next_place` is where the next one begins, None when this is the last."""

    items: Sequence[T]
    next_place: bytes | None


@dataclass(frozen=True, slots=True)
class LogState:
    """Represents how far a log is now, as readers may see it; what stood before its first sequence was trimmed."""

    last_sequence: int
    finished: bool
    first_sequence: int = 1


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Represents events read from a log, and the sequence up to which the reader has now seen all it wants.

    They stand in `events`, or as they are encoded in a ReadEventsResponse in `packed`.
    """

    events: Sequence[RunEvent]
    read_to: int
    size: int
    packed: bytes = b""


class RunLog(Protocol):
    """Reads one run's log; sees only what is durable."""

    @property
    def generation(self) -> int:
        """Generation of the run's history."""

    async def state(self) -> LogState:
        """Returns how far the log is."""

    async def run(self) -> Run:
        """Returns the run as it stands, without plan, input and output."""

    async def read(self, after: int, last: int, *, lifecycle_only: bool, max_bytes: int) -> LogPiece:
        """Returns the next events: at least one if there is one, and no more than fit into `max_bytes`.

        `last` is the newest sequence, as `state` told it: up to there the log has been read when all of it fitted.
        """

    async def signals(self, after: int) -> Sequence[PendingSignal]:
        """Returns signals that are not taken in yet, with numbers above `after`."""

    async def last_common_sequence(self, generation: int) -> int:
        """Returns the newest sequence that histories of an older generation have in common with this one."""

    def watch(self, wake: Callable[[], None], *, lifecycle_only: bool) -> Callable[[], None]:
        """Has `wake` called after each commit that brought news; returns what ends that."""


class OwnershipStore(Protocol):
    """Says who drives which run."""

    async def claim(self, instance_id: str, claim_id: str, max_runs: int, wait: float) -> Sequence[ClaimedRun]:
        """Claims runs that nobody drives, waiting up to `wait` seconds for some; cancelled, it claims none.

        A repeat of the instance's newest claim gets the same runs again.

        Raises FailedPrecondition when the instance holds no lease.
        """

    def renew(self, instance_id: str, ttl_us: int) -> Awaitable[RenewLeaseResponse]:
        """Keeps or takes up a lease for `ttl_us` from now; 0 gives it back."""

    def signal(self, request: SendSignalRequest) -> Awaitable[SendSignalResponse]:
        """Makes a signal durable, or ends a queued run that is to be cancelled.

        Raises ResourceExhausted when too many signals of the run wait to be taken in.
        """


class Store(Protocol):
    """Keeps everything; made by :func:`penstock.state.open_store.open_store`."""

    @property
    def values(self) -> ValueStore:
        """The values."""

    @property
    def sessions(self) -> SessionStore:
        """The conversations."""

    @property
    def runs(self) -> RunStore:
        """The runs and their logs."""

    @property
    def ownership(self) -> OwnershipStore:
        """Leases, claims and signals."""

    @property
    def limits(self) -> LimitStore:
        """The counters."""

    @property
    def care(self) -> StoreCare:
        """The look at the store as a whole."""

    @property
    def topics(self) -> TopicStore:
        """The topics."""

    async def check(self) -> str:
        """Writes and reads a little; returns how that went in words, or raises."""

    async def sweep(self) -> bool:
        """Does a bounded piece of what time asks for: trims, expires, publishes; True: there is more to do now."""
