"""Errors of calls that know their run: the caller must learn its name to find it again."""

from collections.abc import Generator
from contextlib import contextmanager

import grpc.aio

from penstock.wire.errors import DeadlineExceeded, PenstockError
from penstock.wire.status import from_rpc_error


@contextmanager
def naming(run_id: str) -> Generator[None]:
    """Adds the run's name to the error that leaves the block."""
    try:
        yield
    except PenstockError as error:
        error.metadata.setdefault("run_id", run_id)
        raise
    except grpc.aio.AioRpcError as failure:
        named = from_rpc_error(failure)
        named.metadata.setdefault("run_id", run_id)
        raise named from failure


def still_going(run_id: str) -> DeadlineExceeded:
    """Makes the error for a call that ran out of time before its run ended."""
    return DeadlineExceeded(
        f"the call's time is over; run {run_id} goes on, and can be attached to or asked for by its id",
        metadata={"run_id": run_id},
    )
