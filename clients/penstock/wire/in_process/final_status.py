"""How an in-process call ended."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from penstock.wire.in_process.metadata import Pair


@dataclass(frozen=True, slots=True)
class FinalStatus:
    """Represents the end of one call, as both of its ends see it."""

    code: grpc.StatusCode
    details: str = ""
    trailing: Sequence[Pair] = ()

    def error(self, initial: Sequence[Pair]) -> grpc.aio.AioRpcError:
        """Returns what the caller of a failed call is to get raised."""
        return grpc.aio.AioRpcError(
            self.code,
            grpc.aio.Metadata(*initial),
            grpc.aio.Metadata(*self.trailing),
            self.details,
            f"in-process call ended with {self.code.name}: {self.details}",
        )


OK = FinalStatus(grpc.StatusCode.OK)
DEADLINE_EXCEEDED = FinalStatus(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
CANCELLED = FinalStatus(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
DROPPED = FinalStatus(grpc.StatusCode.CANCELLED, "Cancelled upon garbage collection!")
HANDLER_CANCELLED = FinalStatus(grpc.StatusCode.CANCELLED, "The handler was cancelled.")
SERVER_STOPPED = FinalStatus(grpc.StatusCode.UNAVAILABLE, "Cancelling all calls")
NOT_FOUND = FinalStatus(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
INVALID_METADATA = FinalStatus(grpc.StatusCode.INTERNAL, "Invalid metadata")
