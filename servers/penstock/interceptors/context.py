"""Context: makes who asks known to the handler, and keeps strangers from saying that they are someone else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from penstock.interceptors.arrival import remember
from penstock.wire.call import Call
from penstock.wire.concern import Concern
from penstock.wire.context import from_metadata, use_context
from penstock.wire.errors import InvalidArgument
from penstock.wire.tracing_parents import joined

# Keys by which layers tell each other whose work it is; from outside they would be forgeries.
INNER_PREFIX = "x-penstock-"


@dataclass(frozen=True, slots=True)
class Door:
    """Represents the public entrance: whose work it is when a call comes in from outside."""

    tenant: str


def context(door: Door | None = None) -> Concern:
    """Makes the concern that reads the request's context; at a door, tenant and user are the server's to say."""

    @contextmanager
    def read(call: Call) -> Iterator[None]:
        if door is not None:
            _refuse_inner_keys(call)
        asked = from_metadata(call.metadata)
        if door is not None:
            asked = replace(asked, tenant=door.tenant, user="")
        asked = joined(asked)
        remember(asked)
        with use_context(asked):
            yield

    return read


def _refuse_inner_keys(call: Call) -> None:
    forged = sorted({key for key, _ in call.metadata if key.startswith(INNER_PREFIX)})
    if forged:
        raise InvalidArgument.of(
            [(f"metadata[{key}]", "is set by the gateway alone; leave it out of calls from outside") for key in forged]
        )
