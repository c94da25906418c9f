"""Which rpcs last as long as the work they stand for, so that no fixed time fits them."""

from typing import Final

from penstock.wire.call import Call, Kind

# Unary rpcs that wait for work to be done or to appear. Each is bounded by what its caller gives it.
LONG_METHODS: Final = frozenset(
    {
        "/penstock.v1.GatewayService/ExecuteRun",
        "/penstock.v1.ExecutorService/Execute",
        "/penstock.v1.ToolRunnerService/CallTool",
        "/penstock.v1.OwnershipService/ClaimRuns",
    }
)


def is_long(call: Call) -> bool:
    """Tells whether a call may stay open as long as its caller likes: any stream, and the rpcs named above."""
    return call.kind is not Kind.UNARY_UNARY or call.method in LONG_METHODS
