"""Guard: a bound on what is in progress at once, so cheap that refusing costs next to nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from penstock.interceptors.rules import LayerRules
from penstock.wire.call import Call
from penstock.wire.concern import Concern
from penstock.wire.errors import Unavailable
from penstock.wire.long_calls import is_long


class Load:
    """Counts what one layer has in progress.

    grpc's own `maximum_concurrent_rpcs` counts calls whose request never came, so that one connection can use it up
    for everybody. This counts handlers that run, and open streams apart from short calls.
    """

    def __init__(self, rules: LayerRules) -> None:
        self.rules = rules
        self.short = 0
        self.long = 0


def guard(loads: Mapping[str, Load]) -> Concern:
    """Makes the concern that refuses calls over their layer's bound; services that are no layer's are exempt.

    Raises Unavailable (reason OVERLOADED), since another replica may have room.
    """

    @contextmanager
    def bounded(call: Call) -> Iterator[None]:
        load = loads.get(call.service)
        if load is None:
            yield
        elif is_long(call):
            _refuse_when_full(load.long, load.rules.streams, load, "streams and long calls")
            load.long += 1
            try:
                yield
            finally:
                load.long -= 1
        else:
            _refuse_when_full(load.short, load.rules.concurrency, load, "calls")
            load.short += 1
            try:
                yield
            finally:
                load.short -= 1

    return bounded


def _refuse_when_full(count: int, most: int, load: Load, what: str) -> None:
    if count >= most:
        raise Unavailable(
            f"the {load.rules.layer} layer has {most} {what} in progress and takes no more for now",
            reason="OVERLOADED",
            metadata={"layer": load.rules.layer},
        )
