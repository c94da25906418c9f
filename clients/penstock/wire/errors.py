"""Everything that can go wrong with a call, as one tree.

    PenstockError
    ├── InvalidArgument      a field, named with how to mend it
    ├── NotFound             no such run, session, agent, tool, workflow …; with the nearest names
    ├── AlreadyExists        the same idempotency key came with another body
    ├── FailedPrecondition   right in form, but not in this state (a busy session, an unsupported durability)
    ├── PermissionDenied     the caller may not do this
    ├── Unauthenticated      the caller did not show who it is
    ├── ResourceExhausted    more than fits: a message, a run's log
    │   └── OverLimit        a quota is used up for now; says when to come back
    ├── OutOfRange           a cursor older than what is kept; carries the first sequence kept
    ├── DataLoss             a cursor of lost history; carries the last common sequence
    ├── DeadlineExceeded     time ran out
    ├── Cancelled            the caller, or the operator, gave up
    ├── Aborted              lost a race that is worth another try as a whole
    ├── Unimplemented        designed, but not built yet
    ├── Unavailable          the other end is not there now; try again
    │   ├── CircuitOpen      not tried, because it failed again and again
    │   └── Draining         shutting down; another replica will answer
    └── Internal             a fault of ours; the text is fixed and the request id finds it in the log

The one table that turns these into statuses is in :mod:`penstock.wire.status`. "Over the limit" and "could not
decide" stay different errors: the first is :class:`OverLimit`, the second is :class:`Unavailable`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Violation:
    """Represents one field that is wrong, and how to mend it."""

    field: str
    description: str


class PenstockError(Exception):
    """Represents a failed call, with a text and facts that are fit for the caller's eyes.

    `reason` is the UPPER_SNAKE constant of google.rpc.ErrorInfo, `metadata` its facts (such as `run_id`), and
    `retry_after` the seconds after which a repeat may help (None: no advice).
    """

    reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata: dict[str, str] = dict(metadata or {})
        self.retry_after = retry_after


class InvalidArgument(PenstockError):
    """A field of the request is wrong; each violation is a (field, description) pair."""

    reason = "INVALID_ARGUMENT"

    def __init__(
        self,
        message: str,
        violations: Sequence[tuple[str, str]] = (),
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.violations = tuple(Violation(field, description) for field, description in violations)

    @classmethod
    def of(cls, violations: Sequence[tuple[str, str]]) -> "InvalidArgument":
        """Makes one error of all that is wrong, with a text that names each field."""
        return cls("; ".join(f"{field}: {description}" for field, description in violations), violations)


class NotFound(PenstockError):
    """Something named in the request does not exist."""

    reason = "NOT_FOUND"

    @classmethod
    def named(cls, kind: str, name: str, known: Sequence[str] = ()) -> "NotFound":
        """Names what is missing, and up to three known names that look like it."""
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        if known and not near:
            shown = ", ".join(sorted(known)[:10])
            hint = f"; there are: {shown}" + (" …" if len(known) > 10 else "")
        return cls(
            f"there is no {kind} {name!r}{hint}",
            reason=f"{kind.upper().replace(' ', '_')}_NOT_FOUND",
            metadata={kind.replace(" ", "_"): name, **({"nearest": ",".join(near)} if near else {})},
        )


class AlreadyExists(PenstockError):
    """The key is taken by something else."""

    reason = "ALREADY_EXISTS"


class FailedPrecondition(PenstockError):
    """The request is well formed, but the system is not in a state for it."""

    reason = "FAILED_PRECONDITION"


class PermissionDenied(PenstockError):
    """The caller is known and may not do this."""

    reason = "PERMISSION_DENIED"


class Unauthenticated(PenstockError):
    """The caller did not prove who it is."""

    reason = "UNAUTHENTICATED"


class ResourceExhausted(PenstockError):
    """Something is bigger, or more, than fits; waiting does not help."""

    reason = "TOO_LARGE"


class OverLimit(ResourceExhausted):
    """A quota is used up; `subject` names whose, and `retry_after` says in how many seconds it refills."""

    reason = "OVER_LIMIT"

    def __init__(
        self,
        message: str,
        *,
        subject: str,
        retry_after: float,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata, retry_after=retry_after)
        self.subject = subject


class OutOfRange(PenstockError):
    """The cursor lies before the first event that is kept."""

    reason = "CURSOR_EXPIRED"

    def __init__(self, message: str, *, run_id: str, first_sequence: int) -> None:
        super().__init__(message, metadata={"run_id": run_id, "first_sequence": str(first_sequence)})
        self.first_sequence = first_sequence


class DataLoss(PenstockError):
    """The cursor belongs to a history of which the end was lost."""

    reason = "GENERATION_CHANGED"

    def __init__(self, message: str, *, run_id: str, last_common_sequence: int, generation: int) -> None:
        super().__init__(
            message,
            metadata={
                "run_id": run_id,
                "last_common_sequence": str(last_common_sequence),
                "generation": str(generation),
            },
        )
        self.last_common_sequence = last_common_sequence
        self.generation = generation


class DeadlineExceeded(PenstockError):
    """Time ran out."""

    reason = "DEADLINE_EXCEEDED"


class Cancelled(PenstockError):
    """Someone gave up waiting, or asked for the end."""

    reason = "CANCELLED"


class Aborted(PenstockError):
    """A race was lost; repeating the whole may succeed."""

    reason = "ABORTED"


NOT_BUILT = "NOT_BUILT"
"""Reason of an Unimplemented that a server of ours raises; one that doesn't know the rpc has none."""


class Unimplemented(PenstockError):
    """The contract has it, this version does not do it yet."""

    reason = "UNIMPLEMENTED"


class Unavailable(PenstockError):
    """The other end is not there now; a repeat after `retry_after` seconds may find it."""

    reason = "UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float = 1.0,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata, retry_after=retry_after)


class CircuitOpen(Unavailable):
    """The call was not tried, because the callee failed too often lately."""

    reason = "CIRCUIT_OPEN"


class Draining(Unavailable):
    """This replica is shutting down."""

    reason = "DRAINING"


class Internal(PenstockError):
    """A fault on our side; the text given to callers is fixed."""

    reason = "INTERNAL"
