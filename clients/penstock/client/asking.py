"""How the client asks: each call with a request id of its own, and our errors in place of gRPC's."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import grpc

from penstock.wire.context import RequestContext, current_context
from penstock.wire.errors import PenstockError, Unavailable
from penstock.wire.ids import random_id
from penstock.wire.status import DETAILS_KEY, from_rpc_error

UNREACHABLE: Final = "UNREACHABLE"
"""Reason of an Unavailable that no server sent: nothing answers, or the connection broke."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Represents one call to a gateway, to be told from others in both ends' logs by its request id."""

    address: str
    request_id: str
    metadata: tuple[tuple[str, str], ...]

    @classmethod
    def anew(cls, address: str) -> "Asked":
        """Makes the next call; where one is made on behalf of a request being handled, it joins that one's trace."""
        around = current_context()
        request_id = random_id("req")
        context = RequestContext(request_id) if around is None else replace(around.child(), request_id=request_id)
        return cls(address, request_id, tuple(context.to_metadata(inner=False)))

    def failed(self, error: grpc.aio.AioRpcError, facts: Mapping[str, str], *, begun: bool = False) -> PenstockError:
        """Turns the call's failure into an error of the tree; `request_id` and the facts are in its metadata.

        `begun` tells that the server had already answered something.
        """
        ours = from_rpc_error(error)
        from_server = any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())
        if isinstance(ours, Unavailable) and not from_server:
            happened = "the connection broke to" if begun else "nothing answers at"
            # What gRPC says names each layer of the transport; the last is the one that a person can act on.
            text = f"{happened} {self.address} ({(error.details() or 'no reason given').rpartition('UNKNOWN: ')[2]})"
            ours = Unavailable(text, reason=UNREACHABLE, metadata={"address": self.address})
        for key, value in {"request_id": self.request_id, **facts}.items():
            if value:
                ours.metadata.setdefault(key, value)
        return ours


@contextmanager
def asking(address: str, **facts: str) -> Iterator[Asked]:
    """Gives what a call needs, and raises its failure as an error of the tree, with the facts in its metadata."""
    asked = Asked.anew(address)
    try:
        yield asked
    except grpc.aio.AioRpcError as error:
        raise asked.failed(error, facts) from None
