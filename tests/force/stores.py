"""The stores that proofs by force run against."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.stores.cluster import cluster
from tests.stores.server import ValkeyServer, serving

KINDS = ("sqlite", "valkey", "cluster")


@dataclass(frozen=True, slots=True)
class Place:
    """Represents a store: its URL, how many state processes may share it, and where a standalone server listens."""

    url: str
    replicas: int
    server: ValkeyServer | None = None


@contextmanager
def open_place(kind: str, directory: Path) -> Iterator[Place]:
    """Gives an empty store for a block."""
    match kind:
        case "valkey":
            server = ValkeyServer(directory / "valkey")
            with serving(server):
                yield Place(server.url, 2, server)
        case "cluster":
            with cluster(directory / "cluster") as made:
                yield Place(made.url, 2)
        case _:
            yield Place(f"sqlite:///{directory}/state.db", 1)
