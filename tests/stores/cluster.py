"""A Cluster of six local processes for tests: three primaries with a replica each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from redis.crc import key_slot

from tests.stores.ports import free_ports
from tests.stores.server import ValkeyServer, serving

PRIMARIES = 3
_SLOTS = 16384
_NODE_TIMEOUT_MS = 2000


class ValkeyCluster:
    """Represents the six processes; the first three begin as primaries, and each has the one three further as replica.

    Its methods block, as those of a server do.
    """

    def __init__(self, directory: Path, *, binary: Path | None = None, options: Sequence[str] = ()) -> None:
        self._bus_ports = free_ports(2 * PRIMARIES)
        own = ("--cluster-enabled", "yes", "--cluster-node-timeout", f"{_NODE_TIMEOUT_MS}")
        self.servers = [
            ValkeyServer(
                directory / f"node-{number}", binary=binary, options=[*own, "--cluster-port", f"{port}", *options]
            )
            for number, port in enumerate(self._bus_ports)
        ]

    @property
    def url(self) -> str:
        """The address as the state layer takes it, with all nodes, since any of them may be killed."""
        return f"redis+cluster://{','.join(server.address for server in self.servers)}"

    def form(self) -> None:
        """Makes one Cluster of running servers, and returns when all of them agree on it and replicate."""
        first, *others = self.servers
        for number, server in enumerate(self.servers):
            server.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server, bus_port in zip(others, self._bus_ports[1:], strict=True):
            first.command("CLUSTER", "MEET", "127.0.0.1", server.port, bus_port)
        for number, server in enumerate(self.servers[:PRIMARIES]):
            begin, end = (_SLOTS * place // PRIMARIES for place in (number, number + 1))
            server.command("CLUSTER", "ADDSLOTSRANGE", begin, end - 1)
        names = [server.command("CLUSTER", "MYID").decode() for server in self.servers]
        for server in self.servers:
            server.wait_until(lambda: self._known_to(server) >= set(names), "meet the others")  # noqa: B023 - called before the next turn
        for number, server in enumerate(self.servers[PRIMARIES:]):
            server.command("CLUSTER", "REPLICATE", names[number])
        self.wait_whole()

    def wait_whole(self) -> None:
        """Returns when every living node finds the Cluster whole, with a replica on each primary."""
        living = [server for server in self.servers if server.alive]
        for server in living:
            server.wait_until(lambda: self._is_whole(server), "find the Cluster whole")  # noqa: B023 - called before the next turn

    def primary_of(self, key: str | bytes) -> ValkeyServer:
        """The server that has a key now, as the living ones see it."""
        slot = key_slot(key if isinstance(key, bytes) else key.encode())
        asked = next(server for server in self.servers if server.alive)
        for begin, end, (_, port, *_), *_ in asked.command("CLUSTER", "SLOTS"):
            if begin <= slot <= end:
                return next(server for server in self.servers if server.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def primaries(self) -> list[ValkeyServer]:
        """The servers that are primaries now."""
        return [server for server in self.servers if server.alive and server.command("ROLE")[0] == b"master"]

    def replica_of(self, primary: ValkeyServer) -> ValkeyServer:
        """A living replica of a primary."""
        for server in self.servers:
            if server.alive and server.command("ROLE")[:3] == [b"slave", b"127.0.0.1", primary.port]:
                return server
        raise AssertionError(f"{primary.address} has no replica")

    def cut_connections(self) -> None:
        """Closes the connections of all clients on every living node."""
        for server in self.servers:
            if server.alive:
                server.cut_connections()

    def all_keys(self) -> list[bytes]:
        """All keys of all nodes."""
        return sorted({key for server in self.primaries() for key in server.all_keys()})

    def _known_to(self, server: ValkeyServer) -> set[str]:
        nodes = server.command("CLUSTER", "NODES")
        lines = nodes.decode().splitlines() if isinstance(nodes, bytes) else []
        return {line.split()[0] for line in lines if "handshake" not in line}

    def _is_whole(self, server: ValkeyServer) -> bool:
        told = server.command("CLUSTER", "INFO")
        if "cluster_state:ok" not in told.decode():
            return False
        mine = server.info("replication")
        if mine["role"] == "slave":
            return mine["master_link_status"] == "up"
        return int(mine["connected_slaves"]) >= 1 and "online" in mine["slave0"]


@contextmanager
def cluster(directory: Path, *, binary: Path | None = None, options: Sequence[str] = ()) -> Iterator[ValkeyCluster]:
    """Serves a Cluster for a block; at its end none of its processes lives."""
    made = ValkeyCluster(directory, binary=binary, options=options)
    with serving(*made.servers):
        made.form()
        yield made
