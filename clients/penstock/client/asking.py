"""How the client asks: each call with a request id of its own, and our errors in place of gRPC's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import grpc

from penstock.client.failure import Failure
from penstock.wire.context import TRACEPARENT, RequestContext, current_context
from penstock.wire.errors import DeadlineExceeded, PenstockError, Unavailable
from penstock.wire.ids import random_id
from penstock.wire.status import DETAILS_KEY, from_rpc_error

UNREACHABLE: Final = "UNREACHABLE"
"""Reason of an Unavailable that no server sent: nothing answers, or the connection broke."""

# What the transport, or a proxy, may end a call with when a connection is reset under it.
_RESETS: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED})

# How gRPC's texts begin when there was no connection; there is no other way to tell this from one that broke.
_NOT_CONNECTED: Final = (
    "connections to all backends failing",
    "failed to connect to all addresses",
    "errors resolving",
    "DNS resolution failed",
)

_CODE: Final = re.compile(r"^(UNKNOWN|UNAVAILABLE|INTERNAL|FAILED_PRECONDITION): ")


@dataclass(frozen=True, slots=True)
class Asked:
    """Represents one call to a gateway, to be told from others in both ends' logs by its request id.

    `joins` tells that it is made on behalf of a request being handled, whose trace it joins.
    """

    address: str
    context: RequestContext
    joins: bool = False

    @classmethod
    def anew(cls, address: str) -> "Asked":
        """Makes the next call; where one is made on behalf of a request being handled, it joins that one's trace."""
        around, request_id = current_context(), random_id("req")
        if around is None:
            return cls(address, RequestContext(request_id))
        return cls(address, replace(around.child(), request_id=request_id), joins=True)

    def again(self, address: str) -> "Asked":
        """Makes the call that repeats this one or goes on from it, in the same trace."""
        return Asked(address, replace(self.context.child(), request_id=random_id("req")), self.joins)

    @property
    def request_id(self) -> str:
        """The id under which servers log the call."""
        return self.context.request_id

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What the call takes along.

        A trace only where a request around it has one: one begun here that nobody records would keep the servers from
        recording theirs. Where the program records spans, the channel sends the call's own.
        """
        pairs = self.context.to_metadata(inner=False)
        return tuple(pair for pair in pairs if pair[0] != TRACEPARENT or self.joins)

    def failed(self, error: grpc.aio.AioRpcError, facts: Mapping[str, str], *, begun: bool = False) -> Failure:
        """Turns the call's failure into an error of the tree; `request_id` and the facts are in its metadata.

        `begun` tells that the server had already answered something.
        """
        ours = from_rpc_error(error)
        told = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
        details = error.details() or ""
        connected = begun or told or not details.startswith(_NOT_CONNECTED)
        happened = "the connection broke to" if begun else "no answer came from" if connected else "nothing answers at"
        # What gRPC says names each layer of the transport; the last is the one that a person can act on.
        cause = _CODE.sub("", details.rpartition("last error: ")[2]) or "no reason given"
        if isinstance(ours, Unavailable) and not told:
            text = f"{happened} {self.address} ({cause})"
            ours = Unavailable(text, reason=UNREACHABLE, metadata={"address": self.address})
        elif isinstance(ours, DeadlineExceeded) and not told:
            text = f"the call's time was over before an answer came from {self.address}"
            ours = DeadlineExceeded(text, metadata={"address": self.address})
        repeatable = isinstance(ours, Unavailable) or (not told and error.code() in _RESETS)
        return Failure(self.named(ours, facts), happened, cause, told=told, connected=connected, repeatable=repeatable)

    def named(self, error: PenstockError, facts: Mapping[str, str]) -> PenstockError:
        """Adds to an error which call it was, and what is known beside."""
        for key, value in {"request_id": self.request_id, **facts}.items():
            if value:
                error.metadata.setdefault(key, value)
        return error
