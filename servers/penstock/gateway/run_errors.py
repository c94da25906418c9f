"""Errors of calls that know their run: the caller must learn its name to find it again."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import grpc.aio

from penstock.wire.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PenstockError,
    PermissionDenied,
    Unauthenticated,
    Unimplemented,
)
from penstock.wire.status import from_inner_error
from penstock.wire.tracing import note

# After these a run that was asked for is certainly not there.
NOTHING_RECORDED: Final = (
    InvalidArgument,
    NotFound,
    FailedPrecondition,
    PermissionDenied,
    Unauthenticated,
    Unimplemented,
)


@contextmanager
def naming(run_id: str, *, unless: tuple[type[PenstockError], ...] = ()) -> Generator[None]:
    """Adds the run's name to the call's span, and to the error that leaves the block unless it is `unless`."""
    note(run_id=run_id)
    try:
        yield
    except PenstockError as error:
        _named(error, run_id, unless)
        raise
    except grpc.aio.AioRpcError as failure:
        raise _named(from_inner_error(failure), run_id, unless) from failure


def still_going(run_id: str) -> DeadlineExceeded:
    """Makes the error for a call that ran out of time before its run ended."""
    return DeadlineExceeded(
        f"the call's time is over; run {run_id} goes on, and can be attached to or asked for by its id",
        metadata={"run_id": run_id},
    )


def _named(error: PenstockError, run_id: str, unless: tuple[type[PenstockError], ...]) -> PenstockError:
    if not isinstance(error, unless):
        error.metadata.setdefault("run_id", run_id)
    return error
