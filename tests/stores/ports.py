"""Ports that nobody listens on."""

import os
import random
import socket
from contextlib import ExitStack, suppress
from itertools import cycle
from typing import Final

# Each process that runs tests has ports of its own: that of a server that is about to start, or that a test has killed
# and starts again, is free meanwhile. And all lie below those that systems give to outgoing connections.
_PROCESS: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PROCESSES: Final = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PORTS: Final = range(20_000 + _PROCESS, 32_000, _PROCESSES)
# In an order of this run's own, so that it gives none twice, and other runs hardly ever the same at the same time.
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
