"""When a failed step is tried again."""

import random
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status

from penstock.v1.plan_pb2 import RetryPolicy
from penstock.wire.status import reason_of

# A tool may have had its effect: trying again could double it.
_NEVER: Final = frozenset({"TOOL_OUTCOME_UNKNOWN"})


def may_retry(policy: RetryPolicy, failures: int, error: Status) -> bool:
    """Tells whether another attempt follows after so many failures, of which the last ended with `error`."""
    return failures < policy.max_attempts and reason_of(error) not in _NEVER


def pause_before(policy: RetryPolicy, failures: int) -> float:
    """Returns the seconds to wait after so many failures: exponential, jittered between half and all of it."""
    first = _seconds(policy.initial_backoff, policy.HasField("initial_backoff"), 1.0)
    most = _seconds(policy.max_backoff, policy.HasField("max_backoff"), 60.0)
    factor = policy.backoff_multiplier or 2.0
    try:
        pause = min(most, first * factor ** (failures - 1))
    except OverflowError:
        pause = most
    return pause * random.uniform(0.5, 1.0)


def _seconds(duration: Duration, given: bool, default: float) -> float:
    return duration.ToNanoseconds() / 1e9 if given else default
