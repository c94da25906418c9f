"""A server with replicas, without Cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from tests.stores.server import ValkeyServer, serving


@contextmanager
def replicated(directory: Path, replicas: int = 2, options: Sequence[str] = ()) -> Iterator[list[ValkeyServer]]:
    """Serves a primary, which comes first, and its replicas, all connected, for a block."""
    servers = [ValkeyServer(directory / f"server-{number}", options=options) for number in range(replicas + 1)]
    primary, *others = servers
    with serving(*servers):
        for replica in others:
            replica.command("REPLICAOF", "127.0.0.1", primary.port)
        for replica in others:
            replica.wait_until(lambda: replica.info("replication")["master_link_status"] == "up", "follow its primary")  # noqa: B023 - called before the next turn
        primary.wait_until(lambda: _all_have_answered(primary, replicas), "hear from its replicas")
        yield servers


def _all_have_answered(primary: ValkeyServer, replicas: int) -> bool:
    """Tells whether what is written reaches the replicas: some are online a while before it does."""
    with Redis(port=primary.port) as client:
        client.set("is-heard", 1)
        answered = client.wait(replicas, 100) == replicas
        client.delete("is-heard")
    return answered
