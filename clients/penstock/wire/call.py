"""One rpc as a concern sees it: the same on both sides and for all four kinds."""

from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

import grpc


class Kind(Enum):
    """Says which of the two directions of an rpc are streams."""

    UNARY_UNARY = (False, False)
    UNARY_STREAM = (False, True)
    STREAM_UNARY = (True, False)
    STREAM_STREAM = (True, True)

    def __init__(self, request_streaming: bool, response_streaming: bool) -> None:
        # As attributes, because reading an enum's `value` runs code, and each call asks several times.
        self.request_streaming = request_streaming
        self.response_streaming = response_streaming


class Side(Enum):
    """Says at which end of the rpc a concern stands."""

    SERVER = "server"
    CLIENT = "client"


# Not frozen: on the client, concerns add metadata and shorten the timeout before the call leaves.
@dataclass(slots=True, eq=False)
class Call:
    """Represents one rpc while it passes through the concerns around it.

    `timeout` is in seconds: on the server what was left at arrival (None: the caller set none), on the client what
    will be sent. `metadata` is ordered pairs, because keys may repeat.
    """

    method: str
    kind: Kind
    side: Side
    metadata: list[tuple[str, str | bytes]] = field(default_factory=list)
    timeout: float | None = None
    wait_for_ready: bool | None = None
    servicer_context: grpc.aio.ServicerContext[Any, Any] | None = None

    @property
    def service(self) -> str:
        """The full name of the service, as in `penstock.v1.StateService`."""
        return _parts(self.method)[0]

    @property
    def name(self) -> str:
        """The name of the rpc within its service, as in `GetValue`."""
        return _parts(self.method)[1]

    @property
    def context(self) -> grpc.aio.ServicerContext[Any, Any]:
        """The handler's context, to abort or to send metadata with; there is none on the client (RuntimeError)."""
        if self.servicer_context is None:
            raise RuntimeError(f"{self.method}: a call on the client side has no servicer context")
        return self.servicer_context


@lru_cache(maxsize=1024)
def _parts(method: str) -> tuple[str, str]:
    service, _, name = method.rpartition("/")
    return service.lstrip("/"), name
