"""How much may wait for a run's owner to take it in."""

from collections.abc import Iterable
from typing import Final

from penstock.v1.run_log_pb2 import PendingSignal
from penstock.v1.run_pb2 import Signal
from penstock.wire.errors import ResourceExhausted

MAX_PENDING: Final = 1000
"""Most signals of a run that its owner has not taken in."""

MAX_PENDING_BYTES: Final = 512 * 1024
"""Most bytes of those together: a run's record, which holds them, has to fit into a message."""


def has_room(signal: Signal, count: int, size: int) -> bool:
    """Tells whether a signal may come to `count` others of `size` bytes together."""
    return count < MAX_PENDING and size + signal.ByteSize() <= MAX_PENDING_BYTES


def check_urgent(run_id: str, signal: Signal, pending: Iterable[PendingSignal]) -> None:
    """Raises ResourceExhausted for a signal without room, unless it is the first cancel: a run can always be ended."""
    if signal.HasField("cancel") and not any(other.signal.HasField("cancel") for other in pending):
        return
    raise ResourceExhausted(
        f"run {run_id} has not taken in the signals before this one: at most {MAX_PENDING} of them wait, "
        f"with {MAX_PENDING_BYTES // 1024} KiB together",
        reason="SIGNALS_PENDING",
        metadata={"run_id": run_id},
    )
