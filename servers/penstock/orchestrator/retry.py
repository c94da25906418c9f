"""When a failed step is tried again."""

import random
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status

from penstock.v1.plan_pb2 import RetryPolicy
from penstock.wire.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unimplemented,
)
from penstock.wire.status import from_status, retry_delay_of

# A tool may have had its effect: trying again could double it.
_NEVER: Final = frozenset({"TOOL_OUTCOME_UNKNOWN"})

# What another attempt would only be told again.
_SAME_AGAIN: Final = (
    InvalidArgument,
    NotFound,
    FailedPrecondition,
    PermissionDenied,
    Unauthenticated,
    Unimplemented,
)


def may_retry(policy: RetryPolicy, failures: int, error: Status) -> bool:
    """Tells whether another attempt follows after so many failures, of which the last ended with `error`."""
    if failures >= policy.max_attempts:
        return False
    failure = from_status(error)
    return failure.reason not in _NEVER and not isinstance(failure, _SAME_AGAIN)


def pause_before(policy: RetryPolicy, failures: int, error: Status) -> float:
    """Returns the seconds to wait after so many failures: exponential, jittered between half and all of it.

    Where the failure says when to come again, it is not sooner than that.
    """
    first = _seconds(policy.initial_backoff, policy.HasField("initial_backoff"), 1.0)
    most = _seconds(policy.max_backoff, policy.HasField("max_backoff"), 60.0)
    factor = policy.backoff_multiplier or 2.0
    try:
        pause = min(most, first * factor ** (failures - 1))
    except OverflowError:
        pause = most
    return max(pause * random.uniform(0.5, 1.0), retry_delay_of(error))


def _seconds(duration: Duration, given: bool, default: float) -> float:
    return duration.ToNanoseconds() / 1e9 if given else default
