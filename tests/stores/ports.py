"""Ports that nobody listens on."""

import random
import socket
from contextlib import ExitStack, suppress
from itertools import cycle
from typing import Final

# Below those that systems give to outgoing connections, one of which would else take the port of a server that is about
# to start, or that a test has killed and starts again.
_PORTS: Final = range(20_000, 32_000)
# In an order of this process's own, so that it gives none twice, and others hardly ever the same at the same time.
# Not by the generator that everybody shares: tests seed that.
_UNTRIED: Final = cycle(random.SystemRandom().sample(_PORTS, len(_PORTS)))


def free_ports(count: int) -> list[int]:
    """Returns ports of the loopback address that were free just now, all different."""
    ports: list[int] = []
    with ExitStack() as stack:
        while len(ports) < count:
            probe, port = stack.enter_context(socket.socket()), next(_UNTRIED)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                ports.append(port)
    return ports
